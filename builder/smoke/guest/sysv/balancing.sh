# shellcheck shell=sh disable=SC2154,SC2034
# IPVS itself: modules, its table, and traffic through FULLNAT, SYNPROXY and NAT services.
schedulers='rr wrr lc wlc lblc lblcr dh sh sed nq'

modules_loaded() {
	for one in '' $schedulers; do
		modprobe "ip_vs${one:+_$one}"
		[ -d "/sys/module/ip_vs${one:+_$one}" ] || fail "ip_vs${one:+_$one} is not loaded"
	done
	[ -e /proc/net/ip_vs_ext_stats ] || fail 'this ip_vs has no FULLNAT'
	echo "ip_vs with FULLNAT; schedulers: $schedulers"
}

# There is one table only, and no namespace has another.
in_table() { "$@"; }

# Services by firewall mark are left out: a public derivative of the patch lists servers that
# such a service does not have.
table_filled() {
	ipvsadm -A -t 10.1.0.1:80 -s wlc -p 300
	ipvsadm -a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 3
	ipvsadm -A -t 10.1.0.1:81 -s rr -j enable
	ipvsadm -a -t 10.1.0.1:81 -r 10.2.0.1:8080 -b
	ipvsadm -P -t 10.1.0.1:81 -z 10.3.0.1
	ipvsadm -P -t 10.1.0.1:81 -z 10.3.0.2
	ipvsadm -R <<-END
		-a -t 10.1.0.1:80 -r 10.2.0.2:8080 -m -w 0
		-A -u 10.1.0.1:53 -s rr
		-a -u 10.1.0.1:53 -r 10.2.0.1:5353 -m
	END
	ipvsadm -L -n >"$work/listed"
	for want in 'TCP  10.1.0.1:80 wlc persistent 300' '10.2.0.1:8080 *Masq *3 ' \
		'10.2.0.2:8080 *Masq *0 ' 'UDP  10.1.0.1:53 rr' '10.2.0.1:8080 *FullNat'; do
		grep -qi -- "$want" "$work/listed" || fail "not listed: $want in $(cat "$work/listed")"
	done
	ipvsadm -G -t 10.1.0.1:81 >"$work/locals"
	for want in 10.3.0.1 10.3.0.2; do
		grep -qF "$want" "$work/locals" || fail "ipvsadm -G does not list $want: $(cat "$work/locals")"
	done
	echo '3 services, 4 servers and 2 local addresses added and listed'
}

more_saved() {
	for want in '-a -t 10.1.0.1:81 .* -b' '-P -t 10.1.0.1:81 -z 10.3.0.2' '-A -t 10.1.0.1:81 .*-j enable'; do
		grep -q -- "^$want" "$work/saved" || fail "not saved: $want in $(cat "$work/saved")"
	done
	also=', FULLNAT, SYNPROXY and local addresses among them'
}

# TCP alone: this series translates no ports of other protocols.
balancing_strand() {
	check fullnat.refused refused_without_local_address
	check fullnat.service fullnat_configured
	check fullnat.tcp4 fullnat_translates_tcp
	check fullnat.ipv6 ipv6_is_refused
	check fullnat.synproxy synproxy_carries
	check nat.tcp4 nat_translates
}

refused_without_local_address() {
	ipvsadm -A -t "$vip4:81" -s rr
	ipvsadm -a -t "$vip4:81" -r 10.0.4.2:8080 -b
	if inside cl wget -q -T 2 -O - "http://$vip4:81/cgi-bin/who"; then
		fail 'a connection came about without a local address'
	fi
	ipvsadm -P -t "$vip4:81" -z "$local4"
	fetch "$vip4:81" || fail 'still refused with a local address'
	ipvsadm -D -t "$vip4:81"
	echo 'refused without a local address, served with one'
}

fullnat_configured() {
	ipvsadm -R <<-END
		-A -t $vip4:80 -s rr
		-a -t $vip4:80 -r 10.0.4.2:8080 -b
		-a -t $vip4:80 -r 10.0.5.2:8080 -b
	END
	ipvsadm -P -t "$vip4:80" -z "$local4"
	ipvsadm -S -n >"$work/fullnat"
	count=$(grep -c -- "^-a -t $vip4:80 .* -b" "$work/fullnat") || fail "no FULLNAT server: $(cat "$work/fullnat")"
	[ "$count" -eq 2 ] || fail "2 FULLNAT servers expected: $(cat "$work/fullnat")"
	echo 'a service with 2 servers and a local address'
}

seen_by_both() { # FILE: every line is from s1 or s2, who both see the local address
	for one in s1 s2; do
		grep -q "^$one sees $local4 port [1-9]" "$1" || fail "$one did not see $local4: $(cat "$1")"
	done
	wrong=$(grep -vc "^s[12] sees $local4 port [1-9]" "$1") || :
	[ "$wrong" -eq 0 ] || fail "not the local address: $(cat "$1")"
}

fullnat_translates_tcp() {
	fetch "$vip4:80" "$vip4:80" "$vip4:80" "$vip4:80" >"$work/pages" ||
		fail "a page did not come: $(cat "$work/pages")"
	seen_by_both "$work/pages"
	echo "4 pages of s1 and s2, who see $local4"
}

# Its ipvsadm speaks to the kernel by socket options, which know IPv4 only.
ipv6_is_refused() {
	! ipvsadm -A -t '[fd00:1::1]:80' -s rr >"$work/out/ipv6" 2>&1 ||
		fail 'IPv6 is taken: then it must be tested like IPv4'
	unsupported "by this series' tools: $(head -n 1 "$work/out/ipv6")"
}

synproxy_count() { sed -n 's/^synproxy_ok_ack[^0-9]*\([0-9]*\).*/\1/p' /proc/net/ip_vs_ext_stats; }

synproxy_carries() {
	ipvsadm -A -t "$vip4:82" -s rr -j enable
	ipvsadm -a -t "$vip4:82" -r 10.0.4.2:8080 -b
	ipvsadm -P -t "$vip4:82" -z "$local4"
	before=$(synproxy_count)
	fetch "$vip4:82" >"$work/proxied" || fail "a page did not come: $(cat "$work/proxied")"
	grep -q "^s1 sees $local4 " "$work/proxied" || fail "not by FULLNAT: $(cat "$work/proxied")"
	[ "$(synproxy_count)" -gt "$before" ] || fail "synproxy_ok_ack stays at $before"
	echo "1 page, synproxy_ok_ack $before, then $(synproxy_count)"
}

# A public derivative of the patch, known by a symbol of its own, takes what it forwards for
# connections from inside, and has no NAT any more.
has_nat() { ! grep -q CONFIG_IP_VS_PROTO_ICMP "/boot/config-$(uname -r)"; }

nat_translates() {
	has_nat || unsupported 'this derivative of the patch has DSNAT in place of NAT'
	ipvsadm -A -t "$vip4:8000" -s rr
	ipvsadm -a -t "$vip4:8000" -r 10.0.6.2:8080 -m
	fetch "$vip4:8000" "$vip4:80" >"$work/nat" || fail "a page did not come: $(cat "$work/nat")"
	# the other way round than FULLNAT: here the server must see the client itself
	grep -q "^s3 sees $client4 " "$work/nat" || fail "s3 must see $client4: $(cat "$work/nat")"
	grep -q "^s[12] sees $local4 " "$work/nat" || fail "FULLNAT beside it: $(cat "$work/nat")"
	echo "s3 sees the client $client4, FULLNAT beside it still $local4"
}
