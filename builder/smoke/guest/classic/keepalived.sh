# shellcheck shell=sh disable=SC2154
# keepalived as its own script runs it: VRRP sets the VIP, a health check decides on the server,
# which gets FULLNAT and a local address.  This version has no way to check a configuration.
keepalived_conf=/etc/keepalived/keepalived.conf
checked_vip=10.0.1.200 checked_local=10.0.3.12

keepalived_strand() {
	check keepalived.running service_set_up
	check keepalived.down server_removed
	check keepalived.up server_returned
}

write_conf() {
	mkdir -p "${keepalived_conf%/*}"
	cat >"$keepalived_conf" <<-END
		global_defs {
			router_id selftest
		}
		local_address_group laddr_g1 {
			$checked_local
		}
		vrrp_instance selftest {
			state MASTER
			interface c0
			virtual_router_id 51
			priority 255
			advert_int 1
			virtual_ipaddress {
				$checked_vip/32 dev c0
			}
		}
		virtual_server $checked_vip 80 {
			delay_loop 1
			lb_algo rr
			lb_kind FNAT
			protocol TCP
			laddr_group_name laddr_g1
			alpha
			real_server 10.0.5.2 8081 {
				weight 1
				TCP_CHECK {
					connect_timeout 1
				}
			}
		}
	END
}

listed() { ipvsadm -L -n -t "$checked_vip:80" | grep -E '10\.0\.5\.2:8081 +FullNat +1 '; }
not_listed() {
	ipvsadm -L -n -t "$checked_vip:80" || return 1
	! listed
}
vip_set() { ip -4 -o address show dev c0 | grep -F " $checked_vip/32 "; }
served() { fetch "$checked_vip:80" | grep "^s2 sees $checked_local "; }

service_set_up() {
	write_conf
	ip address add "$checked_local/32" dev lo
	server s2 8081
	/etc/init.d/keepalived start
	within 30 listed
	within 15 vip_set
	ipvsadm -G -t "$checked_vip:80" | grep -F "$checked_local" || fail 'the local address is not set'
	within 10 served
	echo "VIP $checked_vip, healthy server serves and sees $checked_local"
}

server_removed() {
	listed || fail 'the server was not in the service before'
	read -r pid <"$work/s2.8081.pid"
	kill "$pid"
	within 20 not_listed
	echo 'a server that stopped answering was removed'
}

server_returned() {
	server s2 8081
	within 20 listed
	within 10 served
	/etc/init.d/keepalived status
	echo 'the server came back and serves'
}
