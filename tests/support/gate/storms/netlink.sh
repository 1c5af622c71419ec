#!/bin/sh
# Mutated netlink messages under traffic, of a seed; then the same from callers without rights.
seed=${GATE_SEED:-1} count=${GATE_MESSAGES:-4000}
echo "seed $seed, $count messages"
rights=$((count * 4 / 5)) without=$((count / 10))

network
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
mac=$(in_ director cat /sys/class/net/to-client/address)
in_ client fuzz-packets "$seed" "$count" to-director "$mac" client &
said=$(in_ director fuzz-netlink "$seed" $rights) || fail "fuzzer"
echo "$said"
accepted=$(echo "$said" | sed 's/.* \([0-9]*\) accepted.*/\1/')
[ "$accepted" -ge $((rights / 20)) ] || fail "hardly a message was accepted: nothing is tried"
wait

director -C
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused afterwards"
rules=$(director -Sn)
refused() { # WHO SAID: all but the requests that anyone may make
    echo "$1: $2"
    [ "$(director -Sn)" = "$rules" ] || fail "$1 changed the rules"
    echo "$2" | grep -q ' 0 accepted' || fail "$1: some were accepted"
}
refused nobody "$(in_ director fuzz-netlink "$seed" $without 65534)"
# Root in a user namespace, which is nobody in the network's.
refused "root of a user namespace" "$(in_ director unshare -U -r fuzz-netlink "$seed" $without)"
web server 10.1.0.2:8080
said=$(get http://10.0.0.1/ 20)
[ "$said" = server ] || fail "an honest client got: $said"
ok
