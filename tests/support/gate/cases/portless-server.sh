#!/bin/sh
# A server without a port (RIP:0) serves its other ports when all local ports to one of them are in
# use by another service.

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5003
in_ director ip addr add 10.0.0.5/24 dev to-client
for port in 80 8080; do in_ server traffic serve "10.1.0.2:$port" & done
sleep 1
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:80 || fail "the service is refused"
{
    director -A -t 10.0.0.5:0 -s rr -p 1 && director -P -t 10.0.0.5:0 -z 10.1.0.1 &&
        director -a -t 10.0.0.5:0 -r 10.1.0.2:0 -b
} || fail "the service without a port is refused"

in_ client traffic hold 10.0.0.1:80 4 400 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 4 of 4" /tmp/held || fail "$(cat /tmp/held)"

# Clients of the port that is full ask all the time.
in_ client traffic honest 10.0.0.5:80 400 50 100 >/tmp/refused &
sleep 1
said=$(in_ client traffic honest 10.0.0.5:8080 20 10 500)
[ "$said" = "served 20 of 20" ] || fail "the other port: $said"
wait $!
[ "$(cat /tmp/refused)" = "served 0 of 400" ] || fail "the full port: $(cat /tmp/refused)"
ok
