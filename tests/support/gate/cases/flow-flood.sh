#!/bin/sh
# Two datagrams from a forged address and an answer between them make an established flow.  Such
# flows do not keep honest clients out, and a flow in use keeps its port.

# port: the local port of the honest flow
port() {
    in_ director cat /proc/net/ip_vs_conn_fullnat | awk '$2 ~ /^10.0.0.3:/ { print $4 }'
}

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5199
in_ client ip addr add 10.0.0.3/24 dev to-director
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
in_ server traffic echo 10.1.0.2:53 &
sleep 1
in_ client env FROM=10.0.0.3 traffic again 10.0.0.1:53 20 3 >/tmp/again &
flow=$!
sleep 4
first=$(port)
[ -n "$first" ] || fail "there is no flow"

# All ports but one, twice: the second time the server has answered.
for _ in 1 2; do in_ client traffic datagrams 10.0.0.1:53 199 400; done
sleep 1
said=$(in_ client traffic ask 10.0.0.1:53 3 10 500)
[ "$said" = "served 0 of 3" ] || fail "flows that are a second old lost their ports: $said"
sleep 12
in_ client traffic ask 10.0.0.1:53 150 10 1500 >/tmp/asked
grep -q "served 150 of 150" /tmp/asked || fail "$(cat /tmp/asked)"
[ "$(port)" = "$first" ] || fail "the flow in use had $first, and now: $(port)"
wait $flow
grep -q abcdefghijklmnopqrst /tmp/again || fail "the flow in use: $(cat /tmp/again)"
ok
