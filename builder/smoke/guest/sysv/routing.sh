# shellcheck shell=sh disable=SC2154
# zebra and ospfd in two namespaces, r1 and r2, joined by one link.
routing_strand() {
	check quagga.start daemons_started
	check quagga.ospf learnt_by_ospf
}

daemons_started() {
	router r1 1
	router r2 2
	for one in r1 r2; do launch "$one" zebra; done
	for one in r1 r2; do within 15 inside "$one" test -S /var/run/quagga/zserv.api; done
	for one in r1 r2; do launch "$one" ospfd; done
	for one in r1 r2; do
		for daemon in zebra ospfd; do within 10 alive "$one" "$daemon"; done
	done
	echo 'zebra and ospfd run in both namespaces'
}

alive() { # NAMESPACE DAEMON
	inside "$1" cat "/var/run/quagga/$2.pid" >"$work/$1.$2" && read -r pid <"$work/$1.$2" &&
		grep -qx "Name:	$2" "/proc/$pid/status"
}

router() { # NAMESPACE NUMBER
	inside "$1" ip address add "10.0.9.$2/30" dev f0
	inside "$1" ip address add "10.9.1.$2/32" dev lo
	# The socket between the daemons has a fixed place: each router gets that folder to itself.
	mkdir -p "$work/$1.run" /var/run/quagga
	inside "$1" mount -o bind "$work/$1.run" /var/run/quagga
	echo "hostname $1" >"$work/$1.run/zebra.conf"
	cat >"$work/$1.run/ospfd.conf" <<-END
		hostname $1
		interface f0
		 ip ospf network point-to-point
		 ip ospf hello-interval 1
		 ip ospf dead-interval 4
		 ip ospf retransmit-interval 3
		router ospf
		 ospf router-id 10.9.1.$2
		 timers throttle spf 0 50 500
		 network 10.0.9.0/30 area 0
		 network 10.9.1.$2/32 area 0
	END
}

launch() { # NAMESPACE DAEMON
	inside "$1" "$2" -d -f "/var/run/quagga/$2.conf" -i "/var/run/quagga/$2.pid" -P 0
}

# Nothing but OSPF tells either of the other's address.
route_learnt() { # NAMESPACE ADDRESS VIA
	inside "$1" ip route show | grep -E "^$2(/32)? via $3 "
}

learnt_by_ospf() {
	within 60 route_learnt r2 10.9.1.1 10.0.9.1
	within 60 route_learnt r1 10.9.1.2 10.0.9.2
	echo 'each has the route that the other told by OSPF'
}
