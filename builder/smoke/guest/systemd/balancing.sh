# shellcheck shell=sh disable=SC2154
# IPVS itself: modules, its table, and traffic through FULLNAT and NAT services.
schedulers='rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq twos'

modules_loaded() {
	for one in $schedulers; do set -- "$@" "ip_vs_$one"; done
	modprobe -a ip_vs "$@"
	seen=0
	for one in ip_vs "$@"; do
		[ -d "/sys/module/$one" ] || fail "$one is not loaded"
		seen=$(( seen + 1 ))
	done
	echo "ip_vs and $(( seen - 1 )) schedulers: $schedulers"
}

# The table is tried out in a namespace of its own, where nothing else is in it.
in_table() { nsenter --net=/run/netns/table -- "$@"; }

table_filled() {
	ip netns add table
	# without a local routing table no address counts as unicast
	ip -n table link set lo up
	in_table ipvsadm -A -t 10.1.0.1:80 -s wlc -p 300
	in_table ipvsadm -a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 3
	in_table ipvsadm -R <<-END
		-a -t 10.1.0.1:80 -r 10.2.0.2:8080 -m -w 0
		-A -u [fd01::1]:53 -s rr
		-a -u [fd01::1]:53 -r [fd02::1]:5353 -m
		-A -f 7 -s sh
	END
	in_table ipvsadm -L -n >"$work/listed"
	for want in 'TCP  10.1.0.1:80 wlc persistent 300' '10.2.0.1:8080 *Masq *3 ' \
		'10.2.0.2:8080 *Masq *0 ' 'UDP  \[fd01::1\]:53 rr' 'fd02::1\]:5353 *Masq *1 ' 'FWM  7 sh'; do
		grep -q -- "$want" "$work/listed" || fail "not listed: $want in $(cat "$work/listed")"
	done
	echo '3 services and 3 servers added and listed'
}

more_saved() { :; }

balancing_strand() {
	check fullnat.refused refused_without_local_address
	check fullnat.service fullnat_configured
	check fullnat.tcp4 fullnat_translates tcp "$vip4" 80 "$local4"
	check fullnat.udp4 fullnat_translates udp "$vip4" 53 "$local4"
	check fullnat.tcp6 fullnat_translates tcp "$vip6" 80 "$local6"
	check fullnat.udp6 fullnat_translates udp "$vip6" 53 "$local6"
	check nat.tcp4 nat_translates
}

refused_without_local_address() {
	ipvsadm -A -t "$vip4:81" -s rr
	ipvsadm -a -t "$vip4:81" -r 10.0.4.2:8080 -b
	if inside cl "$here/traffic" fetch 1 "tcp/$vip4/81"; then
		fail 'a connection came about without a local address'
	fi
	dmesg >"$work/refused"
	grep 'IPVS: FULLNAT: no local address' "$work/refused" || fail 'the kernel does not say why'
	ipvsadm -P -t "$vip4:81" -z "$local4"
	inside cl "$here/traffic" fetch 20 "tcp/$vip4/81" || fail 'still refused with a local address'
	ipvsadm -D -t "$vip4:81"
	echo 'refused without a local address, served with one'
}

fullnat_configured() {
	ipvsadm -R <<-END
		-A -t $vip4:80 -s rr
		-a -t $vip4:80 -r 10.0.4.2:8080 -b
		-a -t $vip4:80 -r 10.0.5.2:8080 -b
		-A -u $vip4:53 -s rr
		-a -u $vip4:53 -r 10.0.4.2:5353 -b
		-a -u $vip4:53 -r 10.0.5.2:5353 -b
		-A -t [$vip6]:80 -s rr
		-a -t [$vip6]:80 -r [fd00:4::2]:8080 -b
		-a -t [$vip6]:80 -r [fd00:5::2]:8080 -b
		-A -u [$vip6]:53 -s rr
		-a -u [$vip6]:53 -r [fd00:4::2]:5353 -b
		-a -u [$vip6]:53 -r [fd00:5::2]:5353 -b
	END
	ipvsadm -P -t "$vip4:80" -z "$local4"
	ipvsadm -P -u "$vip4:53" -z "$local4"
	ipvsadm -P -t "[$vip6]:80" -z "$local6"
	ipvsadm -P -u "[$vip6]:53" -z "$local6"
	ipvsadm -S -n >"$work/fullnat"
	count=$(grep -c -- '-a -[tu] .* -b' "$work/fullnat") || fail "no FULLNAT server: $(cat "$work/fullnat")"
	[ "$count" -eq 8 ] || fail "8 FULLNAT servers expected: $(cat "$work/fullnat")"
	echo '4 services with 8 servers and a local address each'
}

connections() { # FLAG SERVICE LOCAL: sets counted to what ipvsadm counts for a local address
	ipvsadm -G -n "$1" "$2" >"$work/counted.$name"
	counted=$(grep -F "=> $3 " "$work/counted.$name") ||
		fail "ipvsadm -G does not list $3: $(cat "$work/counted.$name")"
}

fullnat_translates() { # PROTOCOL VIP PORT LOCAL
	protocol=$1 vip=$2 port=$3 lip=$4
	case $vip in *:*) service="[$vip]:$port" ;; *) service="$vip:$port" ;; esac
	flag=-u
	[ "$protocol" = udp ] || flag=-t
	connections "$flag" "$service" "$lip"
	before=$counted
	url=$protocol/$vip/$port
	inside cl "$here/traffic" fetch 20 "$url" "$url" "$url" "$url" >"$work/pages.$name" ||
		fail "a page did not come: $(cat "$work/pages.$name")"
	for one in s1 s2; do
		grep -q "^$one sees $lip port [1-9]" "$work/pages.$name" ||
			fail "$one did not see $lip: $(cat "$work/pages.$name")"
	done
	wrong=$(grep -vc "^s[12] sees $lip port [1-9]" "$work/pages.$name") || :
	[ "$wrong" -eq 0 ] || fail "not the local address: $(cat "$work/pages.$name")"
	connections "$flag" "$service" "$lip"
	[ "$counted" != "$before" ] || fail "counters did not grow: $counted"
	ipvsadm -G --stats -n | grep -q "^$lip  *[1-9]" ||
		fail "not counted for the network namespace: $(ipvsadm -G --stats -n)"
	echo "4 pages of s1 and s2, who see $lip; ipvsadm -G: $counted"
}

nat_translates() {
	ipvsadm -A -t "$vip4:8000" -s rr
	ipvsadm -a -t "$vip4:8000" -r 10.0.6.2:8080 -m
	inside cl "$here/traffic" fetch 20 "tcp/$vip4/8000" "tcp/$vip4/80" >"$work/nat" ||
		fail "a page did not come: $(cat "$work/nat")"
	# the other way round than FULLNAT: here the server must see the client itself
	grep -q "^s3 sees $client4 " "$work/nat" || fail "s3 must see $client4: $(cat "$work/nat")"
	grep -q "^s[12] sees $local4 " "$work/nat" || fail "FULLNAT beside it: $(cat "$work/nat")"
	echo "s3 sees the client $client4, FULLNAT beside it still $local4"
}
