# shellcheck shell=sh disable=SC2154
# zebra, ospfd and ripd in two namespaces, r1 and r2, joined by one link.
find_daemons() { # sets daemons: the folder that has all of them
	for daemons in /usr/lib/frr /usr/libexec/frr /usr/sbin; do
		found=true
		for one in "$@"; do [ -x "$daemons/$one" ] || found=false; done
		[ "$found" = false ] || return 0
	done
	return 1
}

routing_strand() {
	check frr.start daemons_started
	check frr.ospf learnt_by_ospf
	check frr.rip learnt_by_rip
}

daemons_started() {
	find_daemons zebra ospfd ripd
	ip -batch - <<-END
		netns add r1
		netns add r2
	END
	ip -n r1 link add f0 type veth peer name f0 netns r2
	chmod 0755 "$work"
	router r1 1
	router r2 2
	# zebra first: the others try again only after 10 s if they do not find it
	launch r1 zebra
	launch r2 zebra
	within 60 test -S "$work/r1/zserv.api"
	within 60 test -S "$work/r2/zserv.api"
	for daemon in ospfd ripd; do
		launch r1 "$daemon"
		launch r2 "$daemon"
	done
	wait
	for space in r1 r2; do
		for daemon in zebra ospfd ripd; do
			within 60 alive "$space" "$daemon"
		done
	done
	echo 'zebra, ospfd and ripd run in both namespaces'
}

alive() { # NAMESPACE DAEMON
	read -r pid <"$work/$1/$2.pid" && read -r command <"/proc/$pid/comm" && [ "$command" = "$2" ]
}

router() { # NAMESPACE NUMBER
	ip -n "$1" -batch - <<-END
		link set lo up
		link set f0 up
		address add 10.0.9.$2/30 dev f0
		address add 10.9.1.$2/32 dev lo
		address add 10.9.2.$2/32 dev lo
	END
	folder=$work/$1
	mkdir -p "$folder"
	echo "hostname $1" >"$folder/zebra.conf"
	cat >"$folder/ospfd.conf" <<-END
		hostname $1
		interface f0
		 ip ospf network point-to-point
		 ip ospf hello-interval 1
		 ip ospf dead-interval 4
		 ip ospf retransmit-interval 1
		router ospf
		 ospf router-id 10.9.1.$2
		 timers throttle spf 0 50 500
		 timers throttle lsa all 100
		 timers lsa min-arrival 50
		 network 10.0.9.0/30 area 0
		 network 10.9.1.$2/32 area 0
	END
	cat >"$folder/ripd.conf" <<-END
		hostname $1
		router rip
		 version 2
		 timers basic 5 15 10
		 network f0
		 network 10.9.2.$2/32
	END
	chown -R frr:frr "$folder"
}

launch() { # NAMESPACE DAEMON: in the background; it detaches itself
	folder=$work/$1
	nsenter --net="/run/netns/$1" -- "$daemons/$2" -d -f "$folder/$2.conf" -i "$folder/$2.pid" \
		-z "$folder/zserv.api" --vty_socket "$folder" -P 0 --log "file:$folder/$2.log" &
}

route_learnt() { # NAMESPACE PREFIX PROTOCOL-NUMBER VIA (rtnetlink's numbers: 188 OSPF, 189 RIP)
	ip -N -n "$1" route show "$2" | grep -E "via $4 .*proto $3( |\$)"
}

learnt_by_ospf() {
	within 60 route_learnt r2 10.9.1.1 188 10.0.9.1
	within 60 route_learnt r1 10.9.1.2 188 10.0.9.2
	echo 'each has the route that the other told by OSPF'
}

learnt_by_rip() {
	within 60 route_learnt r2 10.9.2.1 189 10.0.9.1
	within 60 route_learnt r1 10.9.2.2 189 10.0.9.2
	echo 'each has the route that the other told by RIP'
}
