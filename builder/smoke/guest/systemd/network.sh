# shellcheck shell=sh disable=SC2154
# The network, all inside the guest; the root namespace is the director:
#
#   cl --10.0.1.0/24-- director --10.0.3.0/24-- rt --10.0.4.0/24-- s1
#   .2               .1 | .1                .254  `--10.0.5.0/24-- s2
#                       `--10.0.6.0/24-- s3 (NAT: its way back leads through the director)
#
# IPv6 alike with fd00:N::.  rt has no route to the client: an address that is not translated
# is lost there.  Local addresses for FULLNAT: 10.0.3.11 and fd00:3::11.
vip4=10.0.1.1 vip6=fd00:1::1 local4=10.0.3.11 local6=fd00:3::11
client4=10.0.1.2 client6=fd00:1::2

topology_up() {
	ip -batch - <<-END
		netns add cl
		netns add rt
		netns add s1
		netns add s2
		netns add s3
		link add c0 type veth peer name e0 netns cl
		link add d1 type veth peer name e0 netns rt
		link add n0 type veth peer name e0 netns s3
		link set c0 up
		link set d1 up
		link set n0 up
		address add $vip4/24 dev c0
		address add $vip6/64 dev c0 nodad
		address add 10.0.3.1/24 dev d1
		address add $local4/24 dev d1
		address add fd00:3::1/64 dev d1 nodad
		address add $local6/64 dev d1 nodad
		address add 10.0.6.1/24 dev n0
		address add fd00:6::1/64 dev n0 nodad
		route add 10.0.4.0/23 via 10.0.3.254
		route add fd00:4::/31 via fd00:3::fe
	END
	ip -n rt -batch - <<-END
		link add r1 type veth peer name e0 netns s1
		link add r2 type veth peer name e0 netns s2
		link set e0 up
		link set r1 up
		link set r2 up
		address add 10.0.3.254/24 dev e0
		address add fd00:3::fe/64 dev e0 nodad
		address add 10.0.4.1/24 dev r1
		address add fd00:4::1/64 dev r1 nodad
		address add 10.0.5.1/24 dev r2
		address add fd00:5::1/64 dev r2 nodad
	END
	host cl "$client4" "$client6" 10.0.1.1 fd00:1::1
	host s1 10.0.4.2 fd00:4::2 10.0.4.1 fd00:4::1
	host s2 10.0.5.2 fd00:5::2 10.0.5.1 fd00:5::1
	host s3 10.0.6.2 fd00:6::2 10.0.6.1 fd00:6::1
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	# the single quotes are meant: the inner shell writes into its own namespace
	inside rt sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	server s1 tcp/8080 udp/5353
	server s2 tcp/8080 udp/5353
	server s3 tcp/8080 udp/5353
	for one in s1 s2 s3; do within 60 test -e "$work/$one.8080"; done
	inside rt "$here/traffic" fetch 20 tcp/10.0.4.2/8080 tcp/fd00:5::2/8080 >"$work/direct"
	grep -q '^s1 sees 10.0.4.1 ' "$work/direct" || fail "s1 is not reached: $(cat "$work/direct")"
	grep -q '^s2 sees fd00:5::1 ' "$work/direct" || fail "s2 is not reached: $(cat "$work/direct")"
	echo 'three servers in routed namespaces'
}

host() { # NAMESPACE ADDRESS4 ADDRESS6 GATEWAY4 GATEWAY6
	ip -n "$1" -batch - <<-END
		link set lo up
		link set e0 up
		address add $2/24 dev e0
		address add $3/64 dev e0 nodad
		route add default via $4
		route add default via $5
	END
}

server() { # NAMESPACE tcp/PORT ...: in the background; $work/NAMESPACE.PORT appears when it listens
	space=$1 port=${2#*/}
	rm -f "$work/$space.$port"
	nsenter --net="/run/netns/$space" -- "$here/traffic" \
		serve "$space" "$work/$space.$port" "$2" ${3+"$3"} >"$work/out/server.$space.$port" 2>&1 &
	echo "$!" >"$work/$space.$port.pid"
}
