#!/bin/sh
# Who knows both ends of a connection, but none of its numbers, does not end it: the server ignores
# what he sends, and so does the director.  The real ends end it as ever.
# shellcheck source=/dev/null
. /gate/probe.sh

OPEN="c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 c:PA:5001:2:-:10 s:A:2:5011:-:0"

# state PORT: that of the client's connection from there
state() {
    in_ director cat /proc/net/ip_vs_conn_fullnat | awk -v port=":$1" '$0 ~ port " " { print $6 }'
}

# forged WHAT PORT STEP...: an open connection stays ESTABLISHED, and the server got the last step
forged() {
    what=$1 port=$2
    shift 2
    # shellcheck disable=SC2086 # steps
    tcp-probe "$family" "$port" $OPEN "$@" >/tmp/seen
    [ "$(tail -n 1 /tmp/seen)" != nothing ] || fail "IPv$family: $what was not forwarded: $(cat /tmp/seen)"
    [ "$(state "$port")" = ESTABLISHED ] || fail "IPv$family: $what: $(state "$port")"
}

for family in 4 6; do
    network
    use $family
    forged "a segment without flags" 4400 c::7000000:0:-:0
    forged "FIN" 4401 c:FA:7000000:1:-:0
    forged "FIN, three times" 4402 c:FA:7000000:1:-:0 c:FA:7000000:1:-:0 c:FA:7000001:1:-:0
    forged "FIN without ACK" 4403 c:F:7000000:0:-:0
    forged "RST" 4404 c:R:7000000:0:-:0
    forged "ACK, and RST with its number" 4405 c:A:7000000:1:-:0 c:R:7000000:0:-:0
    forged "SYN" 4406 c:S:7000000:0:-:0
    forged "SYN, and RST behind it" 4407 c:S:7000000:0:-:0 c:R:7000001:0:-:0
    forged "FIN that the server does not acknowledge" 4408 c:FA:7000000:1:-:0 s:A:2:5011:-:0

    # During the handshake: a server answers a wrong ACK with RST, and waits for the right one.
    tcp-probe $family 4410 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:7000000:-:0 s:R:7000000:0:-:0 \
        c:A:5001:2:-:0 s:A:2:5001:-:0 >/dev/null
    [ "$(state 4410)" = ESTABLISHED ] || fail "IPv$family: wrong ACK during the handshake: $(state 4410)"
    tcp-probe $family 4411 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:7000000:-:0 c:R:6000000:0:-:0 \
        c:A:5001:2:-:0 s:A:2:5001:-:0 >/dev/null
    [ "$(state 4411)" = ESTABLISHED ] || fail "IPv$family: wrong ACK and RST during the handshake: $(state 4411)"
    # The server's own RST counts: to a SYN, and to an ACK of a connection that it has forgotten.
    tcp-probe $family 4412 c:S:5000:0:-:0 s:RA:0:5001:-:0 >/dev/null
    [ "$(state 4412)" = CLOSE ] || fail "IPv$family: the server refuses: $(state 4412)"
    # shellcheck disable=SC2086
    tcp-probe $family 4413 $OPEN c:A:5011:2:-:0 s:R:2:0:-:0 >/dev/null
    [ "$(state 4413)" = CLOSE ] || fail "IPv$family: the server has forgotten: $(state 4413)"

    in_ director sysctl -qw net.ipv4.vs.expire_nodest_conn=1
    if [ $family = 6 ]; then
        director -e -t "[fd00::1]:80" -r "[fd01::9]:80" -b -w 0
    else
        director -e -t 10.0.0.1:80 -r 10.1.0.9:80 -b -w 0
    fi
    tcp-probe $family 4401 c:S:7000000:0:-:0 >/dev/null
    sleep 3
    [ "$(state 4401)" = ESTABLISHED ] || fail "IPv$family: SYN, and the server has weight 0: $(state 4401)"
    end_network
done

network
use 4
# The real ends: FIN of the client first, of the server first, of both at once, and RST.
# shellcheck disable=SC2086
{
    tcp-probe 4 4420 $OPEN c:FA:5011:2:-:0 s:A:2:5012:-:0
    [ "$(state 4420)" = CLOSE_WAIT ] || fail "FIN of the client: $(state 4420)"
    tcp-probe 4 4421 $OPEN c:FA:5011:2:-:0 s:FA:2:5012:-:0 c:A:5012:3:-:0
    [ "$(state 4421)" = TIME_WAIT ] || fail "FIN of the client, acknowledged by the server's: $(state 4421)"
    tcp-probe 4 4422 $OPEN s:FA:2:5011:-:0 c:FA:5011:3:-:0 s:A:3:5012:-:0
    [ "$(state 4422)" = TIME_WAIT ] || fail "FIN of the server first: $(state 4422)"
    tcp-probe 4 4423 $OPEN c:FPA:5011:2:-:20 s:A:2:5032:-:0
    [ "$(state 4423)" = CLOSE_WAIT ] || fail "FIN with data: $(state 4423)"
    tcp-probe 4 4424 $OPEN c:PA:5011:2:-:1000 c:R:6011:0:-:0
    [ "$(state 4424)" = CLOSE ] || fail "RST behind data on its way: $(state 4424)"
    # The handshake's ACK was lost.
    tcp-probe 4 4425 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:FPA:5001:2:-:10 s:A:2:5012:-:0
    [ "$(state 4425)" = CLOSE_WAIT ] || fail "FIN with the first data: $(state 4425)"
    # The server has closed and forgotten, and the client begins anew.
    tcp-probe 4 4426 $OPEN s:FA:2:5011:-:0 c:S:900000:0:-:0 s:SA:8000:900001:-:0 c:A:900001:8001:-:0 s:A:8001:900001:-:0
    [ "$(state 4426)" = ESTABLISHED ] || fail "a new connection from the same port: $(state 4426)"
} >/tmp/seen

# Half-open: a FIN, which needs no number of the server, does not hold the port for TIME_WAIT.
end_network
network
use 4
in_ director sysctl -qw net.ipv4.vs.fullnat_timeout_half_open=5
tcp-probe 4 4430 c:S:5000:0:-:0 c:F:5001:0:-:0 c:FA:5001:77:-:0 >/dev/null
sleep 10
[ -z "$(state 4430)" ] || fail "a half-open connection with FIN holds its port: $(state 4430)"
ok
