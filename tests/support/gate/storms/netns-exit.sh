#!/bin/sh
# A director's network namespace goes away under traffic, with all its connections.
seed=${GATE_SEED:-1} count=${GATE_EXITS:-5}
echo "seed $seed, $count namespaces"

while [ "$count" -gt 0 ]; do
    network
    fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
    web server 10.1.0.2:8080
    load $((seed + count))
    said=$(get http://10.0.0.1/ 20)
    [ "$said" = server ] || fail "the client got: $said"
    usleep $((seed * count % 700 * 100))
    connections 30
    ip netns del director
    end_network
    wait
    count=$((count - 1))
done
ok
