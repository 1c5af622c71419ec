#!/bin/sh
# A server's datagram that comes after the client's connection has expired reaches nobody: its port
# is not given out again until later.
network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=5005
in_ director sysctl -qw net.ipv4.vs.fullnat_recycle=0
in_ director sysctl -qw net.ipv4.vs.fullnat_timeout_udp=5
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ server traffic late 10.1.0.2:53 1 10 &
sleep 1

in_ client traffic own 10.0.0.1:53 4 1 >/tmp/first
grep -q "answers 4 strangers 0" /tmp/first || fail "the first clients: $(cat /tmp/first)"
sleep 7 # their connections expire
in_ client traffic own 10.0.0.1:53 4 6 >/tmp/second # in the meantime the late answers come
grep -q "strangers 0" /tmp/second || fail "answers for others: $(cat /tmp/second)"
grep -q "answers 2 " /tmp/second || fail "two ports were never used: $(cat /tmp/second)"
sleep 90
in_ client traffic own 10.0.0.1:53 6 1 >/tmp/third
grep -q "answers 6 strangers 0" /tmp/third || fail "all ports are free again: $(cat /tmp/third)"

# Without the time behind the expiry they would reach others.
sleep 90
in_ director sysctl -qw net.ipv4.vs.fullnat_hold_udp=0 || fail "the time cannot be set"
in_ client traffic own 10.0.0.1:53 6 1 >/tmp/fourth
grep -q "answers 6 strangers 0" /tmp/fourth || fail "the fourth clients: $(cat /tmp/fourth)"
sleep 7
in_ client traffic own 10.0.0.1:53 6 6 >/tmp/fifth
grep -q "strangers 6" /tmp/fifth || fail "nothing was to be held: $(cat /tmp/fifth)"
ok
