#!/bin/sh
# What is wrong with local addresses is told: a service that does not exist, an address that the
# director does not have.
network
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
director -P -t 10.0.0.1:80 -z 10.1.0.77 || fail "an address of another host is refused"
dmesg | grep -q '10.1.0.77 is not on this host' || fail "the kernel does not warn: $(dmesg | tail -3)"
dmesg | grep -q '10.1.0.1 is not on this host' && fail "the kernel warns of its own address"
director -G -n >/tmp/listed
grep -q 'warning: 10.1.0.77 is not' /tmp/listed || fail "-G does not warn: $(cat /tmp/listed)"
grep -q 'warning: 10.1.0.1 ' /tmp/listed && fail "-G warns of the director's own address"
in_ director ip addr add 10.1.0.77/32 dev to-server
director -G -n | grep warning && fail "the address is the director's now"
director -G -n -t 10.0.0.1:81 >/tmp/listed 2>&1 && fail "no error for a service that does not exist"
# counters go on where connections do
web server 10.1.0.2:8080
director -Q -t 10.0.0.1:80 -z 10.1.0.77
get http://10.0.0.1/ >/dev/null || fail "no answer"
director -C
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
director -G -n | grep -q '10.1.0.1  *1 ' || fail "the port that is held is not counted: $(director -G -n)"
ok
