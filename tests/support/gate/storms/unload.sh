#!/bin/sh
# The module goes away under traffic, with connections in its tables, and comes again.
seed=${GATE_SEED:-1} count=${GATE_UNLOADS:-4}
echo "seed $seed, unloaded $count times"

network
web server 10.1.0.2:8080
while [ "$count" -gt 0 ]; do
    modprobe ip_vs || fail "modprobe ip_vs"
    fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
    load $((seed + count))
    said=$(get http://10.0.0.1/ 20)
    [ "$said" = server ] || fail "the client got: $said"
    connections 30
    director -C
    # Whatever needs ip_vs goes first.
    awk '/^(ip_vs_|xt_ipvs)/ { print $1 }' /proc/modules | while read -r one; do rmmod "$one"; done
    rmmod ip_vs || fail "ip_vs is in use: $(grep '^ip_vs ' /proc/modules)"
    grep -q '^ip_vs ' /proc/modules && fail "ip_vs is there still"
    kill "$LOAD"
    count=$((count - 1))
done
modprobe ip_vs
ok
