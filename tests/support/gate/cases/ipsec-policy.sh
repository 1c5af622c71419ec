#!/bin/sh
# IPsec policies for outgoing packets hold for what FULLNAT sends, in both directions and both families,
# also for the RSTs of a connection that expires.

# policy COMMAND FROM TO [ACTION]: for what goes from one address to the other
policy() {
    in_ director ip xfrm policy "$1" src "$2" dst "$3" dir out ${4:+action "$4"}
}

# try VIP LOCAL SERVER CLIENTS OTHERS, then the VIP as a URL has it
try() {
    said=$(get "http://$6/")
    [ "$said" = server ] || fail "without a policy the client got: $said"

    policy add "$1" "$4" block || fail "no policy can be added"
    said=$(get "http://$6/" 2)
    [ -z "$said" ] || fail "replies to the client pass a policy that blocks them: $said"
    policy delete "$1" "$4"

    policy add "$2" "$3" block || fail "no policy can be added"
    said=$(get "http://$6/" 2)
    [ -z "$said" ] || fail "requests to the server pass a policy that blocks them: $said"
    policy delete "$2" "$3"

    policy add "$5" "$5" block || fail "no policy can be added"
    said=$(get "http://$6/")
    [ "$said" = server ] || fail "with a policy about others the client got: $said"
    policy delete "$5" "$5"
}

# left HOST: its established connections
left() { in_ "$1" cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "01"' | wc -l; }

network
web server 10.1.0.2:8080
web server "[fd01::2]:8080"
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
fullnat "[fd00::1]:80" fd01::1 "[fd01::2]:8080" || fail "the service is refused"
try 10.0.0.1/32 10.1.0.1/32 10.1.0.2/32 10.0.0.0/24 10.9.0.0/16 10.0.0.1
try fd00::1/128 fd01::1/128 fd01::2/128 fd00::/64 fd09::/64 "[fd00::1]"

director --set 5 0 0
in_ server traffic serve 10.1.0.2:7 &
in_ server traffic serve "[fd01::2]:7" &
sleep 1
fullnat 10.0.0.1:7 10.1.0.1 10.1.0.2:7
fullnat "[fd00::1]:7" fd01::1 "[fd01::2]:7"
in_ client traffic hold 10.0.0.1:7 1 3000 &
in_ client traffic hold "[fd00::1]:7" 1 3000 &
sleep 2
policy add 10.0.0.1/32 10.0.0.0/24 block
policy add fd01::1/128 fd01::2/128 block
sleep 10
[ "$(left client)" = 1 ] || fail "$(left client) connections at the client: one RST of two is blocked there"
[ "$(left server)" = 1 ] || fail "$(left server) connections at the server: one RST of two is blocked there"
ok
