# shellcheck shell=sh disable=SC2154
# keepalived as its own script runs it: VRRP sets the VIP, a health check decides on the server,
# which gets FULLNAT and a local address.  This version has no way to check a configuration.
checked_host=s2 checked_local=10.0.3.12

keepalived_strand() {
	check keepalived.running service_set_up
	check keepalived.down server_removed
	check keepalived.up server_returned
}

write_conf() {
	mkdir -p "${keepalived_conf%/*}"
	vrrp_conf >"$keepalived_conf"
	cat >>"$keepalived_conf" <<-END
		local_address_group laddr_g1 {
			$checked_local
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
serve_checked() { server "$checked_host" 8081; }
keepalived_runs() { /etc/init.d/keepalived status; }
served() { fetch "$checked_vip:80" | grep "^s2 sees $checked_local "; }

service_set_up() {
	write_conf
	ip address add "$checked_local/32" dev lo
	serve_checked
	/etc/init.d/keepalived start
	within 30 listed
	within 15 vip_set
	ipvsadm -G -t "$checked_vip:80" | grep -F "$checked_local" || fail 'the local address is not set'
	within 10 served
	echo "VIP $checked_vip, healthy server serves and sees $checked_local"
}
