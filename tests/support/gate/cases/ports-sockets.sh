#!/bin/sh
# Ports of the director's own sockets at the local address are not given out, all others are.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5099
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ server traffic serve 10.1.0.2:8080 &
in_ director traffic bind 10.1.0.1:5010 10 60 >/tmp/bound &
in_ director traffic bind 0.0.0.0:5030 5 60 >/tmp/any &
until grep -q bound /tmp/bound && grep -q bound /tmp/any; do sleep 0.1; done
in_ client traffic hold 10.0.0.1:80 85 3 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 85 of 85" /tmp/held || fail "$(cat /tmp/held)"
in_ director sh -c "tail -n +2 /proc/net/ip_vs_conn_fullnat" | sed 's/.* 10.1.0.1:\([0-9]*\) 10.1.0.2:.*/\1/' | sort -n | uniq >/tmp/ports
[ "$(wc -l </tmp/ports)" = 85 ] || fail "$(wc -l </tmp/ports) different ports"
grep -E '^50(1.|3[0-4])$' /tmp/ports && fail "ports of sockets were given out"
ok
