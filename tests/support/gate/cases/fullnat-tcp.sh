#!/bin/sh
# A client reaches a server through FULLNAT, and the service counts it.
network
web server 10.1.0.2:8080
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
said=$(get http://10.0.0.1/)
[ "$said" = server ] || fail "the client got: $said"
sleep 3 # the kernel sums its counters every two seconds
director -Ln --stats | grep -q '10.1.0.2:8080  *1 ' || fail "no connection is counted"
ok
