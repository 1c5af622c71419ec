#!/bin/sh
# Rules about the source hold for what FULLNAT sends: the local address towards servers, the VIP
# towards clients.

# sent CARD: packets that the director has sent there
sent() { in_ director cat "/sys/class/net/$1/statistics/tx_packets"; }

# second HOST: another link to it, with no address that routes know
second() {
    ip link add "second-$1" netns director type veth peer name second netns "$1"
    in_ director ip link set "second-$1" up
    in_ "$1" ip link set second up
    mac=$(in_ "$1" cat /sys/class/net/second/address)
    for one in "$2" "$3"; do
        in_ director ip neigh replace "$one" lladdr "$mac" dev "second-$1" nud permanent
    done
}

network
add_local 10.1.0.7/24
in_ director ip addr add fd01::7/64 dev to-server nodad
web server 10.1.0.2:8080
web server "[fd01::2]:8080"
second server 10.1.0.2 fd01::2
second client 10.0.0.2 fd00::2
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
fullnat 10.0.0.1:81 10.1.0.7 10.1.0.2:8080 || fail "the service is refused"
fullnat "[fd00::1]:80" fd01::1 "[fd01::2]:8080" || fail "the service is refused"
fullnat "[fd00::1]:81" fd01::7 "[fd01::2]:8080" || fail "the service is refused"

# way FAMILY VIP LOCAL SERVER CLIENT
way() {
    for port in 80 81; do
        [ "$(get "http://$2:$port/")" = server ] || fail "IPv$1: port $port without rules"
    done
    in_ director ip "-$1" route add "$4" dev second-server table 100
    in_ director ip "-$1" rule add from "$3" table 100
    before=$(sent second-server)
    [ "$(get "http://$2:80/")" = server ] || fail "IPv$1: the other local address, with a rule"
    [ "$(sent second-server)" = "$before" ] || fail "IPv$1: the rule is about another local address"
    [ "$(get "http://$2:81/")" = server ] || fail "IPv$1: no answer with a rule about the local address"
    [ "$(sent second-server)" -ge $((before + 3)) ] || fail "IPv$1: the rule about the local address has no effect"
    in_ director ip "-$1" rule del from "$3" table 100

    in_ director ip "-$1" route add "$5" dev second-client table 200
    bare=${2#[}
    in_ director ip "-$1" rule add from "${bare%]}" table 200
    before=$(sent second-client)
    [ "$(get "http://$2:80/")" = server ] || fail "IPv$1: no answer with a rule about the VIP"
    [ "$(sent second-client)" -ge $((before + 3)) ] || fail "IPv$1: the rule about the VIP has no effect"
    in_ director ip "-$1" rule del from "${bare%]}" table 200
}
way 4 10.0.0.1 10.1.0.7 10.1.0.2 10.0.0.2
way 6 "[fd00::1]" fd01::7 fd01::2 fd00::2

# No way for a local address: others are not harmed.
in_ director ip rule add from 10.1.0.7 prohibit
[ -z "$(get http://10.0.0.1:81/ 2)" ] || fail "a prohibited local address is served"
[ "$(get http://10.0.0.1:80/)" = server ] || fail "the other local address beside a prohibited one"

# A VIP that the director has by a rule alone, as services by firewall mark have it
in_ director ip route add local 10.9.9.0/24 dev lo table 300
in_ director ip rule add to 10.9.9.0/24 table 300
in_ client ip route add 10.9.9.0/24 via 10.0.0.1
fullnat 10.9.9.9:80 10.1.0.1 10.1.0.2:8080
[ "$(get http://10.9.9.9/)" = server ] || fail "a VIP by a rule"

# Servers and clients on the director beside rules
in_ director ip rule add from 10.99.0.0/16 prohibit
web director 10.1.0.7:8080
fullnat 10.0.0.1:83 10.1.0.1 10.1.0.7:8080
[ "$(get http://10.0.0.1:83/)" = director ] || fail "a server on the director beside rules"
[ "$(in_ director timeout 5 wget -q -O - http://10.0.0.1:80/)" = server ] || fail "a client on the director beside rules"
ok
