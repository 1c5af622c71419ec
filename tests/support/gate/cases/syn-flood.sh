#!/bin/sh
# SYNs from forged addresses do not keep honest clients out: half-open connections are recycled.
#
# GATE_FLOOD_PORTS and GATE_FLOOD_SECONDS make it longer; GATE_FLOOD_RECYCLE=0 shows what it would be
# without; GATE_FLOOD_COOKIES is the server's tcp_syncookies.
ports=${GATE_FLOOD_PORTS:-200} seconds=${GATE_FLOOD_SECONDS:-60}
recycle=${GATE_FLOOD_RECYCLE:-1} cookies=${GATE_FLOOD_COOKIES:-1}
rate=$((ports * 33 / 200)) # per port, that of 10,000 SYN/s on the full range
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=$((4999 + ports))
in_ director sysctl -qw net.ipv4.vs.fullnat_recycle="$recycle"
# Without recycling a half-open connection had NAT's 60 s.
[ "$recycle" = 1 ] || in_ director sysctl -qw net.ipv4.vs.fullnat_timeout_half_open=0
in_ server sysctl -qw net.ipv4.tcp_syncookies="$cookies"
# Without cookies a server drops SYNs when three quarters of its backlog are half-open, whatever comes of them here.
in_ server sysctl -qw net.ipv4.tcp_max_syn_backlog=$((2 * ports))
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic syn 10.0.0.1:80 $((rate * seconds)) $rate &
sleep 10
honest=$(((seconds - 20) * 5 / 2))
in_ client traffic honest 10.0.0.1:80 $honest 2.5 1500 >/tmp/honest
got=$(sed 's/served \(.*\) of .*/\1/' /tmp/honest)
echo "ports $ports, $rate SYN/s for $seconds s, recycle $recycle, syncookies $cookies: $(cat /tmp/honest)"
if [ "$recycle" = 0 ]; then
    [ $((got * 10)) -lt $honest ] || fail "the flood is none: $(cat /tmp/honest)"
    ok
fi
# the server was told of every half-open connection whose port was taken; with cookies alone it has none
# shellcheck disable=SC2016 # awk's own
resets=$(in_ server awk '/^TcpExt/ && !n++ { for (i = 2; i <= NF; i++) if ($i == "EmbryonicRsts") at = i; next }
    /^TcpExt/ { print $at }' /proc/net/netstat)
[ "$cookies" = 2 ] || [ "${resets:-0}" -ge 500 ] || fail "$resets half-open connections of the server were reset"
[ $((got * 100)) -ge $((honest * 99)) ] || fail "$(cat /tmp/honest)"
ok
