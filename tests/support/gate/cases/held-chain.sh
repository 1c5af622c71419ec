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

# Nothing that the server says is needed for this: SYN, FIN, SYN again.
for seq in 1 2 3 4 5 6 7 8 9; do
    tcp-probe 4 4300 "c:S:${seq}0000:0:-:0" "c:F:${seq}0001:0:-:0" >/tmp/seen
    grep -q "^F seq=${seq}0001" /tmp/seen || fail "the FIN was not forwarded: $(cat /tmp/seen)"
done
sleep 1
[ "$(entries)" -le 2 ] || fail "$(entries) connections of one client port"

# The next one is served all the same.
tcp-probe 4 4300 c:S:100000:0:-:0 s:SA:1:100001:-:0 c:A:100001:2:-:0 >/tmp/seen
grep -q "^SA .*ack=100001" /tmp/seen || fail "the next connection: $(cat /tmp/seen)"
sleep 90
[ "$(entries)" = 1 ] || fail "$(entries) connections are left, not the last one alone"
ok
