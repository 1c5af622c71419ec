# shellcheck shell=sh disable=SC2154
# keepalived as its own unit runs it: VRRP sets the VIP, a health check decides on the server.
checked_host=s3

keepalived_strand() {
	check keepalived.config config_judged
	check keepalived.refused unknown_words_refused
	check keepalived.running service_set_up
	check keepalived.down server_removed
	check keepalived.up server_returned
}

config_judged() {
	mkdir -p "${keepalived_conf%/*}"
	vrrp_conf >"$keepalived_conf"
	cat >>"$keepalived_conf" <<-END
		virtual_server $checked_vip 80 {
			delay_loop 1
			lb_algo rr
			lb_kind NAT
			protocol TCP
			alpha
			real_server 10.0.6.2 8081 {
				weight 1
				HTTP_GET {
					url {
						path /
						status_code 200
					}
					connect_timeout 1
					retry 0
				}
			}
		}
	END
	keepalived -t -f "$keepalived_conf"
	# a check that accepts everything would prove nothing, and one that crashes no more
	sed 's/state MASTER/state NONSENSE/' "$keepalived_conf" >"$work/bad.conf"
	refused=0
	keepalived -t -f "$work/bad.conf" >"$work/out/refused" 2>&1 || refused=$?
	cat "$work/out/refused"
	[ "$refused" -ne 0 ] || fail 'the check accepts a broken configuration'
	grep -q "unknown state 'NONSENSE'" "$work/out/refused" || fail "status $refused, but not for the fault"
	[ "$refused" -lt 128 ] || fail "killed by signal $(( refused - 128 ))"
	echo 'accepts a good configuration, refuses a broken one'
}

journal_names_it() {
	journalctl --unit keepalived.service --output cat | grep 'FNAT needs local addresses'
}

# What keepalived would pass by and run with, its unit refuses: at the start, and at a reload.
unknown_words_refused() {
	cp "$keepalived_conf" "$work/good.conf"
	sed 's/lb_kind NAT/lb_kind FNAT/' "$work/good.conf" >"$keepalived_conf"
	! systemctl start keepalived.service || fail 'keepalived starts with FNAT and no local address'
	systemctl stop keepalived.service
	within 20 journal_names_it
	! ipvsadm -L -n -t "$checked_vip:80" 2>/dev/null || fail 'a service was set up'
	cp "$work/good.conf" "$keepalived_conf"
	systemctl start keepalived.service
	{
		echo 'local_address_grp g1 {'
		echo '	198.51.100.1'
		echo '}'
	} >>"$keepalived_conf"
	! systemctl reload keepalived.service || fail 'keepalived rereads a word that it does not know'
	keepalived_runs || fail 'a refused reload ended keepalived'
	cp "$work/good.conf" "$keepalived_conf"
	systemctl reload keepalived.service
	echo 'FNAT without local addresses and unknown words are refused'
}

listed() { ipvsadm -L -n -t "$checked_vip:80" | grep -E '10\.0\.6\.2:8081 +Masq +1 '; }
serve_checked() { server "$checked_host" tcp/8081; }
keepalived_runs() { systemctl is-active keepalived.service; }
served() { inside cl "$here/traffic" fetch 1 "tcp/$checked_vip/80" | grep "^s3 sees $client4 "; }

service_set_up() {
	serve_checked
	systemctl start keepalived.service
	within 60 listed
	within 60 vip_set
	within 60 served
	echo "VIP $checked_vip, healthy server 10.0.6.2:8081 serves"
}
