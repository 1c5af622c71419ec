#!/bin/sh
# SYNs from forged addresses do not keep honest clients out: half-open connections are recycled.
network
# the rate per port of 10,000 SYN/s on the full range
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5199
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic syn 10.0.0.1:80 1980 33 &
sleep 10
in_ client traffic honest 10.0.0.1:80 100 2.5 1500 >/tmp/honest
# the server was told of every half-open connection whose port was taken
# shellcheck disable=SC2016 # awk's own
resets=$(in_ server awk '/^TcpExt/ && !n++ { for (i = 2; i <= NF; i++) if ($i == "EmbryonicRsts") at = i; next }
    /^TcpExt/ { print $at }' /proc/net/netstat)
[ "${resets:-0}" -ge 500 ] || fail "$resets half-open connections of the server were reset"
got=$(sed 's/served \(.*\) of .*/\1/' /tmp/honest)
[ "$got" -ge 99 ] || fail "$(cat /tmp/honest)"
ok
