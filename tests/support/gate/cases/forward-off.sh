#!/bin/sh
# FULLNAT does not forward: it works with ip_forward=0, and with what GRO has joined.
network
in_ director sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
web server 10.1.0.2:8080
web server "[fd01::2]:8080"
dd if=/dev/urandom of=/tmp/server/much bs=1024 count=512 2>/dev/null
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
fullnat "[fd00::1]:80" fd01::1 "[fd01::2]:8080" || fail "the service is refused"
for vip in 10.0.0.1 "[fd00::1]"; do
    said=$(get "http://$vip/")
    [ "$said" = server ] || fail "$vip: the client got: $said"
    get "http://$vip/much" 60 >/tmp/got
    cmp -s /tmp/got /tmp/server/much || fail "$vip: $(wc -c </tmp/got) bytes of 524288 came, or other ones"
done
# What others send through the director is not forwarded.
in_ client ip route add 10.1.0.0/24 via 10.0.0.1
in_ server ip route add 10.0.0.0/24 via 10.1.0.1
[ -z "$(get http://10.1.0.2:8080/ 2)" ] || fail "the director forwards"
ok
