#!/bin/sh
# Every port of the range is found and used, and one connection more is refused.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=7599 net.ipv4.vs.fullnat_lport_min=5000
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic hold 10.0.0.1:80 2600 4 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 2600 of 2600" /tmp/held || fail "$(cat /tmp/held)"
in_ director sh -c "tail -n +2 /proc/net/ip_vs_conn_fullnat" | sed 's/.* 10.1.0.1:\([0-9]*\) 10.1.0.2:.*/\1/' | sort -n | uniq >/tmp/ports
[ "$(wc -l </tmp/ports)" = 2600 ] || fail "$(wc -l </tmp/ports) different ports of 2600"
[ "$(head -1 /tmp/ports) $(tail -1 /tmp/ports)" = "5000 7599" ] || fail "ports $(head -1 /tmp/ports) to $(tail -1 /tmp/ports)"
in_ client traffic honest 10.0.0.1:80 1 1 1500 >/tmp/more
grep -q "served 0 of 1" /tmp/more || fail "one more than ports: $(cat /tmp/more)"
until grep -q kept /tmp/held; do sleep 0.2; done
grep -q "kept 2600 of 2600" /tmp/held || fail "$(cat /tmp/held)"
ok
