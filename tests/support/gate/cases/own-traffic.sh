#!/bin/sh
# Clients and servers on the director itself, a local address that is the VIP, and servers that are
# clients of their own service.

# asks HOST URL WANTED WHAT
asks() {
    said=$(in_ "$1" timeout 5 wget -q -O - "$2")
    [ "$said" = "$3" ] || fail "$4: $1 got: $said"
}

network
add_local 10.1.0.3/24
in_ director ip addr add fd01::3/64 dev to-server nodad
web server 10.1.0.2:8080
web server "[fd01::2]:8080"
web director 10.1.0.3:8080
web director "[fd01::3]:8080"
for vip in 10.0.0.1 "[fd00::1]"; do
    case $vip in
    *:*) lip=fd01::1 away="[fd01::2]:8080" here="[fd01::3]:8080" ;;
    *) lip=10.1.0.1 away=10.1.0.2:8080 here=10.1.0.3:8080 ;;
    esac
    fullnat "$vip:80" $lip "$away" || fail "the service is refused"
    fullnat "$vip:81" $lip "$here" || fail "the service is refused"
    asks client "http://$vip/" server "a client outside, a server outside"
    asks director "http://$vip/" server "a client on the director"
    asks client "http://$vip:81/" director "a server on the director"
    asks director "http://$vip:81/" director "both on the director"
    asks director "http://$away/" server "the director's own connection to the server"
done

# From the local address, as a health check that is bound to it.
in_ server traffic serve 10.1.0.2:7 &
sleep 1
fullnat 10.0.0.1:7 10.1.0.1 10.1.0.2:7 || fail "the service is refused"
for target in 10.1.0.2:7 10.0.0.1:7; do
    said=$(FROM=10.1.0.1 in_ director traffic honest "$target" 5 10 500)
    [ "$said" = "served 5 of 5" ] || fail "from the local address to $target: $said"
done

# With ranges that are apart, as the manual says, no port of it is in use by a connection of FULLNAT.
in_ director sysctl -qw net.ipv4.ip_local_port_range="4000 4999"
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=5019
in_ client traffic hold 10.0.0.1:7 20 3000 >/tmp/held &
sleep 2
grep -q "served 20 of 20" /tmp/held || fail "all ports of the range: $(cat /tmp/held)"
said=$(FROM=10.1.0.1 in_ director traffic honest 10.1.0.2:7 40 20 500)
[ "$said" = "served 40 of 40" ] || fail "from the local address beside its ports: $said"

# A server that is a client: its own answers would bypass a director with NAT.
in_ server ip route add 10.0.0.1/32 via 10.1.0.1
in_ server ip route add fd00::1/128 via fd01::1
asks server http://10.0.0.1/ server "a server that is a client of itself"
asks server "http://[fd00::1]/" server "a server that is a client of itself"

# The VIP as local address.
fullnat 10.0.0.1:82 10.0.0.1 10.1.0.2:8080 || fail "the VIP is refused as local address"
asks client http://10.0.0.1:82/ server "the VIP is the local address"
asks director http://10.0.0.1:82/ server "the VIP is the local address, a client on the director"

# UDP of the director itself
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ server traffic echo 10.1.0.2:53 &
sleep 1
said=$(in_ director traffic ask 10.0.0.1:53 5 10 500)
[ "$said" = "served 5 of 5" ] || fail "datagrams of the director: $said"

ok
