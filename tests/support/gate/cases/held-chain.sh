#!/bin/sh
# However often a client begins anew from one port, one connection of that port is held at most:
# all of them are in one chain, through which every packet from that port walks.
# shellcheck source=/dev/null
. /gate/probe.sh

# entries: connections that the client has from port 4300
entries() {
    in_ director cat /proc/net/ip_vs_conn_fullnat | grep -c ":4300 "
}

network
use 4

# Each is closed by both ends, and its port is held for the server's TIME_WAIT.
for seq in 1 2 3 4 5 6 7 8 9; do
    own="${seq}00000"
    tcp-probe 4 4300 "c:S:$own:0:-:0" "s:SA:1:$((own + 1)):-:0" "c:A:$((own + 1)):2:-:0" \
        "s:FA:2:$((own + 1)):-:0" "c:FA:$((own + 1)):3:-:0" "s:A:3:$((own + 2)):-:0" >/tmp/seen
    grep -q "^A seq=3 ack=$((own + 2))" /tmp/seen || fail "the close was not forwarded: $(cat /tmp/seen)"
done
sleep 1
[ "$(entries)" -le 2 ] || fail "$(entries) connections of one client port"

# The next one is served all the same.
tcp-probe 4 4300 c:S:5000000:0:-:0 s:SA:1:5000001:-:0 c:A:5000001:2:-:0 >/tmp/seen
grep -q "^SA .*ack=5000001" /tmp/seen || fail "the next connection: $(cat /tmp/seen)"
sleep 90
[ "$(entries)" = 1 ] || fail "$(entries) connections are left, not the last one alone"
ok
