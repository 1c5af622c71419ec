#!/bin/sh
# With vs.conntrack=1, MASQUERADE and SNAT towards the servers do no harm, and a server's packet
# behind the end of the client's conntrack entry does not take the place of the next one.
# shellcheck source=/dev/null
. /gate/probe.sh

# translate iptables' TARGET...: of what goes to the servers, by iptables where there is one, otherwise by nft
translate() {
    if command -v iptables >/dev/null; then
        in_ director iptables -t nat -F POSTROUTING
        in_ director iptables -t nat -A POSTROUTING -o to-server -j "$@"
        return
    fi
    rule=masquerade
    [ "$1" = MASQUERADE ] || rule="snat to $3"
    in_ director nft "add table ip t; flush table ip t; add chain ip t c { type nat hook postrouting priority 100; }; add rule ip t c oifname to-server $rule"
}

network
web server 10.1.0.2:8080
# The first address of the interface, which MASQUERADE takes, is not the local one.
add_local 10.1.0.7/24
fullnat 10.0.0.1:80 10.1.0.7 10.1.0.2:8080 || fail "the service is refused"
in_ director sysctl -qw net.ipv4.vs.conntrack=1
for rule in MASQUERADE "SNAT --to-source 10.1.0.1"; do
    # shellcheck disable=SC2086 # target and its options
    translate $rule || fail "no rule can be added"
    said=$(get http://10.0.0.1/)
    [ "$said" = server ] || fail "behind $rule the client got: $said"
    said=$(get http://10.0.0.1/)
    [ "$said" = server ] || fail "behind $rule the second time the client got: $said"
done

# Datagrams: the server sends when the entry has expired, and the client after it.
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.7
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ director sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 net.netfilter.nf_conntrack_udp_timeout_stream=1
in_ server traffic late 10.1.0.2:53 1 5 &
sleep 1
said=$(in_ client traffic again 10.0.0.1:53 2 8)
[ "$said" = aabb ] || fail "each datagram comes back twice, a and b, and the client got: $said"

director -C
use 4
# Entries of TCP in SYN_SENT and SYN_RECV that conntrack forgets after a second.
in_ director sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_syn_sent=1 \
    net.netfilter.nf_conntrack_tcp_timeout_established=1 \
    net.netfilter.nf_conntrack_tcp_timeout_syn_recv=1 \
    net.netfilter.nf_conntrack_tcp_timeout_unacknowledged=1 \
    net.netfilter.nf_conntrack_tcp_timeout_max_retrans=1
expect "the client's packets pass beside a stale entry" \
    "S seq=5000 *
SA seq=1 ack=5001 *
A seq=5001 ack=2 *
nothing
nothing
nothing
PA seq=2 ack=5001 *
PA seq=5001 ack=12 * data=10 *" \
    4001 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 \
    w w w s:PA:2:5001:-:10 c:PA:5001:12:-:10
ok
