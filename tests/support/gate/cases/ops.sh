#!/bin/sh
# With one-packet scheduling a datagram's port is free with the answer: four times as many queries as
# ports, and nothing is recycled.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=5099
in_ director sysctl -qw net.ipv4.vs.fullnat_recycle=0
director -A -u 10.0.0.1:53 -s rr -o
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ server traffic echo 10.1.0.2:53 &
sleep 1
in_ client traffic ask 10.0.0.1:53 400 50 1500 >/tmp/asked
grep -q "served 400 of 400" /tmp/asked || fail "$(cat /tmp/asked)"
sleep 1
held=$(in_ director sh -c "tail -n +2 /proc/net/ip_vs_conn_fullnat" | wc -l)
[ "$held" -le 1 ] || fail "$held ports are held behind the last answer"
ok
