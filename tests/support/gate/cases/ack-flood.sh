#!/bin/sh
# Two forged packets, a SYN and an ACK of a wrong number, are no established connection; those
# that are established keep their ports.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5199
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic hold 10.0.0.1:80 50 25 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
in_ client traffic half 10.0.0.1:80 1000 50 &
sleep 5
in_ client traffic honest 10.0.0.1:80 30 2 1500 >/tmp/honest
grep -q "served 30 of 30" /tmp/honest || fail "$(cat /tmp/honest)"
until grep -q kept /tmp/held; do sleep 0.2; done
grep -q "kept 50 of 50" /tmp/held || fail "$(cat /tmp/held)"
ok
