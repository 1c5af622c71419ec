# shellcheck shell=sh disable=SC2154,SC2034
# keepalived's VIP by VRRP, and a server that its health check takes out and brings back.  A
# self-test defines checked_host, serve_checked (which starts that server), listed, served, and
# keepalived_runs.
keepalived_conf=/etc/keepalived/keepalived.conf
checked_vip=10.0.1.200

vrrp_conf() { # the first part of a configuration
	cat <<-END
		global_defs {
			router_id selftest
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
	END
}

not_listed() {
	ipvsadm -L -n -t "$checked_vip:80" || return 1
	! listed
}

vip_set() { ip -4 -o address show dev c0 | grep -F " $checked_vip/32 "; }

server_removed() {
	listed || fail 'the server was not in the service before'
	read -r pid <"$work/$checked_host.8081.pid"
	kill "$pid"
	within 60 not_listed
	echo 'a server that stopped answering was removed'
}

server_returned() {
	serve_checked
	within 60 listed
	within 60 served
	keepalived_runs
	echo 'the server came back and serves'
}
