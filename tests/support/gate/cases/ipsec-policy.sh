#!/bin/sh
# IPsec policies for outgoing packets hold for what FULLNAT sends, in both directions.

# policy COMMAND FROM TO [ACTION]: for what goes from one address to the other
policy() {
    in_ director ip xfrm policy "$1" src "$2" dst "$3" dir out ${4:+action "$4"}
}

network
web server 10.1.0.2:8080
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
said=$(get http://10.0.0.1/)
[ "$said" = server ] || fail "without a policy the client got: $said"

policy add 10.0.0.1/32 10.0.0.0/24 block || fail "no policy can be added"
said=$(get http://10.0.0.1/ 2)
[ -z "$said" ] || fail "replies to the client pass a policy that blocks them: $said"
policy delete 10.0.0.1/32 10.0.0.0/24

policy add 10.1.0.1/32 10.1.0.2/32 block || fail "no policy can be added"
said=$(get http://10.0.0.1/ 2)
[ -z "$said" ] || fail "requests to the server pass a policy that blocks them: $said"
policy delete 10.1.0.1/32 10.1.0.2/32

policy add 10.9.0.0/16 10.8.0.0/16 block || fail "no policy can be added"
said=$(get http://10.0.0.1/)
[ "$said" = server ] || fail "with a policy about others the client got: $said"
ok
