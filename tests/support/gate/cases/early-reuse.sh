#!/bin/sh
# A port is held as long as the server may have TIME_WAIT: whatever RST a client sends, and when the
# client begins anew from the same port.
# shellcheck source=/dev/null
. /gate/probe.sh

# entries PORT [STATE]: connections that the client has from there
entries() {
    in_ director cat /proc/net/ip_vs_conn_fullnat | grep -c ":$1 .*${2:-}"
}

# closed PORT STEP...: a connection that the server has closed first, and more
closed() {
    port=$1
    shift
    tcp-probe 4 "$port" c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 s:FA:2:5001:-:0 \
        c:A:5001:3:-:0 c:FA:5001:3:-:0 s:A:3:5002:-:0 "$@"
}

network
use 4

# Neither a RST that the server ignores nor the right one ends TIME_WAIT.
for seq in 900000 5002; do
    closed 4200 c:R:$seq:0:-:0 >/tmp/seen
    grep -q "^R seq=$seq" /tmp/seen || fail "the RST was not forwarded: $(cat /tmp/seen)"
    sleep 30
    [ "$(entries 4200 TIME_WAIT)" = 1 ] || fail "a RST of $seq freed the port in less than 30 s"
    sleep 60
    [ "$(entries 4200)" = 0 ] || fail "the port is held after more than 90 s"
done

# An established connection is not ended by a guess, but by the right number.
open="c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 c:PA:5001:2:-:10 s:A:2:5011:-:0"
# shellcheck disable=SC2086 # steps
tcp-probe 4 4201 $open c:R:900000:0:-:0 >/dev/null
[ "$(entries 4201 ESTABLISHED)" = 1 ] || fail "a RST out of order ended the connection"
# shellcheck disable=SC2086
tcp-probe 4 4202 $open c:R:5011:0:-:0 >/dev/null
[ "$(entries 4202 CLOSE)" = 1 ] || fail "the right RST did not end the connection"
sleep 15
[ "$(entries 4202)" = 0 ] || fail "the port of a connection that was reset is held"

# The same client port again, while the server has TIME_WAIT: another local port.
closed 4203 >/dev/null
first=$(in_ director cat /proc/net/ip_vs_conn_fullnat | awk '/:4203 / { print $4 }')
tcp-probe 4 4203 c:S:800000:0:-:0 s:SA:1:800001:-:0 c:A:800001:2:-:0 >/tmp/seen
grep -q "^SA .*ack=800001" /tmp/seen || fail "the second connection: $(cat /tmp/seen)"
sleep 3
[ "$(entries 4203)" = 2 ] || fail "$(entries 4203) entries, the first port is free early"
[ "$(in_ director cat /proc/net/ip_vs_conn_fullnat | grep -c " $first ")" = 1 ] || fail "$first is used again"
sleep 70
[ "$(entries 4203)" = 1 ] || fail "the first port is still held"

# Where there is no other port it is recycled, and the server's TIME_WAIT is ended first.
end_network
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=5000
use 4
closed 4204 c:S:700000:0:-:0 >/tmp/seen
case $(tail -n 2 /tmp/seen) in
"R seq=5002 "*"S seq=700000 "*) ;;
*) fail "RST and then SYN was wanted: $(cat /tmp/seen)" ;;
esac
ok
