# shellcheck shell=sh disable=SC2154
# The network, all inside the guest; the first namespace is the director:
#
#   cl --10.0.1.0/24-- director --10.0.4.0/24-- s1
#   .2               .1   .1 |`--10.0.5.0/24-- s2
#                            `---10.0.6.0/24-- s3 (NAT: its way back leads through the director)
#
# On this kernel IPVS looks at the packets of every namespace and knows connections by their
# addresses alone: a router between director and server would translate the replies, so there is
# none.  s1 and s2 have a route to the local addresses only: an address that is not translated
# is lost there.  r1 and r2, joined by one link, are for routing.  Local addresses for FULLNAT:
# 10.0.3.11 and, for keepalived, 10.0.3.12.
vip4=10.0.1.1 local4=10.0.3.11 client4=10.0.1.2

topology_up() {
	for one in cl s1 s2 s3 r1 r2; do space "$one"; done
	for one in cl s1 s2 s3 r1 r2; do within 10 inside "$one" ip link set lo up; done
	pair '' c0 cl e0
	pair '' d1 s1 e0
	pair '' d2 s2 e0
	pair '' n0 s3 e0
	pair r1 f0 r2 f0
	ip address add "$vip4/24" dev c0
	ip address add 10.0.4.1/24 dev d1
	ip address add 10.0.5.1/24 dev d2
	ip address add 10.0.6.1/24 dev n0
	ip address add "$local4/32" dev lo
	echo 1 >/proc/sys/net/ipv4/ip_forward
	host cl "$client4" default 10.0.1.1
	host s1 10.0.4.2 10.0.3.0/24 10.0.4.1
	host s2 10.0.5.2 10.0.3.0/24 10.0.5.1
	host s3 10.0.6.2 default 10.0.6.1
	for one in s1 s2 s3; do server "$one" 8080; done
	for one in 10.0.4.2 10.0.5.2; do
		within 10 wget -q -T 2 -O - "http://$one:8080/cgi-bin/who"
		cat "$work/out/poll.$name" >>"$work/direct"
	done
	grep -q '^s1 sees 10.0.4.1 ' "$work/direct" || fail "s1 is not reached: $(cat "$work/direct")"
	grep -q '^s2 sees 10.0.5.1 ' "$work/direct" || fail "s2 is not reached: $(cat "$work/direct")"
	! inside cl wget -q -T 2 -O - 'http://10.0.4.2:8080/cgi-bin/who' ||
		fail 's1 answers a client, to whom it has no route'
	echo 'three servers; two of them can answer nobody but the director'
}

interfaces() { for entry in /sys/class/net/*; do echo "${entry##*/}"; done; }

# busybox's ip cannot name both ends: the kernel does, and the new ones are looked for.
pair() { # NAMESPACE NAME NAMESPACE NAME: a link between both; no namespace is this one
	interfaces >"$work/old"
	ip link add 'pair%d' type veth
	interfaces | grep -vxFf "$work/old" >"$work/ends"
	{ read -r one && read -r other; } <"$work/ends" || fail "not two ends: $(cat "$work/ends")"
	settle "$one" "$1" "$2"
	settle "$other" "$3" "$4"
}

settle() { # INTERFACE NAMESPACE NAME
	if [ -z "$2" ]; then
		ip link set "$1" name "$3"
		ip link set "$3" up
	else
		read -r pid <"$work/$2.pid"
		ip link set "$1" netns "$pid"
		inside "$2" ip link set "$1" name "$3"
		inside "$2" ip link set "$3" up
	fi
}

host() { # NAMESPACE ADDRESS DESTINATION GATEWAY
	inside "$1" ip address add "$2/24" dev e0
	inside "$1" ip route add "$3" via "$4"
}

server() { # NAMESPACE PORT: tells over HTTP whom it sees
	home=$work/www.$1
	mkdir -p "$home/cgi-bin"
	cp "$here/who" "$home/cgi-bin/who"
	echo "$1" >"$home/cgi-bin/name"
	inside "$1" sh -c "httpd -f -p $2 -h $home >$work/out/httpd.$1.$2 2>&1 & echo \$! >$work/$1.$2.pid"
}
