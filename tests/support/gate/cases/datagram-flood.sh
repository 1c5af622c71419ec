#!/bin/sh
# Datagrams from forged addresses, answered or not, do not keep honest clients out.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5199
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
in_ server traffic echo 10.1.0.2:53 &
sleep 1
in_ client traffic datagrams 10.0.0.1:53 1000 50 &
sleep 5
in_ client traffic ask 10.0.0.1:53 30 2 1500 >/tmp/asked
grep -q "served 30 of 30" /tmp/asked || fail "$(cat /tmp/asked)"
ok
