#!/bin/sh
# A client whose server has weight 0 by now is served by it, also when all local ports to the
# servers with a weight are in use.

# weights FIRST SECOND: of the two servers
weights() {
    director -e -t 10.0.0.1:80 -r 10.1.0.2:8080 -b -w "$1"
    director -e -t 10.0.0.1:80 -r 10.1.0.3:8080 -b -w "$2"
}

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5019
in_ server ip addr add 10.1.0.3/24 dev to-director
in_ client ip addr add 10.0.0.3/24 dev to-director
for one in 2 3; do in_ server traffic serve "10.1.0.$one:8080" & done
sleep 1
{
    director -A -t 10.0.0.1:80 -s rr -p 300 && director -P -t 10.0.0.1:80 -z 10.1.0.1 &&
        director -a -t 10.0.0.1:80 -r 10.1.0.2:8080 -b && director -a -t 10.0.0.1:80 -r 10.1.0.3:8080 -b
} || fail "the service is refused"
weights 0 1
said=$(in_ client env FROM=10.0.0.2 traffic honest 10.0.0.1:80 1 1 1000)
[ "$said" = "served 1 of 1" ] || fail "the first connection: $said"
weights 1 0

fullnat 10.0.0.1:81 10.1.0.1 10.1.0.2:8080
in_ client traffic hold 10.0.0.1:81 20 400 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 20 of 20" /tmp/held || fail "$(cat /tmp/held)"

# Clients without a server are refused all the time.
in_ client env FROM=10.0.0.3 traffic honest 10.0.0.1:80 400 50 100 >/tmp/refused &
sleep 1
said=$(in_ client env FROM=10.0.0.2 traffic honest 10.0.0.1:80 10 10 500)
[ "$said" = "served 10 of 10" ] || fail "the client of the server with weight 0: $said"
wait $!
[ "$(cat /tmp/refused)" = "served 0 of 400" ] || fail "other clients: $(cat /tmp/refused)"
ok
