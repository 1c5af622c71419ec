# shellcheck shell=sh disable=SC2154
# Files of commands: what is wrong with one, or refused in the middle of it, changes nothing.

restore_checks() {
	check ipvs.refused table_refused
	check ipvs.unit unit_loads
}

unchanged() { # WHAT was tried
	in_table ipvsadm -S -n >"$work/after"
	cmp "$work/kept" "$work/after" || fail "$1 changes the table: $(cat "$work/after")"
}

restoring_ends() { # STATUS WORDS OPTION...: as the file on standard input must
	wanted=$1 words=$2 ended=0
	shift 2
	cat >"$work/rules"
	in_table ipvsadm -R "$@" "$work/rules" 2>"$work/refusal" || ended=$?
	[ "$ended" -eq "$wanted" ] || fail "status $ended, not $wanted: $(cat "$work/refusal")"
	grep -qF "ipvsadm: $work/rules:$words" "$work/refusal" || fail "not told: $words in $(cat "$work/refusal")"
	unchanged "$words"
}

table_refused() { # and cleared
	in_table ipvsadm -R <<-END
		# FULLNAT, thresholds and timeouts

		--set 1000 130 310
		-A -t 10.1.0.3:80 -s rr
		-P -t 10.1.0.3:80 -z 10.3.0.1
		-P -t 10.1.0.3:80 -z 192.0.2.1
		-a -t 10.1.0.3:80 -r 10.2.0.1:8080 -b -w 2 -x 100 -y 50
		-A -t [fd01::3]:80 -s rr
		-a -t [fd01::3]:80 -r [fd02::1] -b
	END
	in_table ipvsadm -S -n >"$work/kept"
	for want in '--set 1000 130 310' '-a -t 10.1.0.3:80 -r 10.2.0.1:8080 -b -w 2 -x 100 -y 50' \
		'-a -t [fd01::3]:80 -r [fd02::1]:80 -b -w 1'; do
		grep -qxF -- "$want" "$work/kept" || fail "not saved: $want in $(cat "$work/kept")"
	done
	changes='-Q -t 10.1.0.3:80 -z 10.3.0.1
		-e -t 10.1.0.3:80 -r 10.2.0.1:8080 -m
		-D -t [fd01::3]:80
		-A -f 8 -s rr
		--set 1 2 3'
	restoring_ends 1 "6: \`-P -t 10.1.0.3:80 -z 192.0.2.1': Local address already exists" <<-END
		$changes
		-P -t 10.1.0.3:80 -z 192.0.2.1
	END
	restoring_ends 1 "2: \`-A -f 8': Service already exists" --replace <<-END
		-A -f 8 -s rr
		-A -f 8
	END
	restoring_ends 2 "6: \`10.2': illegal real server" <<-END
		$changes
		-a -t 10.1.0.3:80 -r 10.2
	END
	in_table ipvsadm -C
	in_table ipvsadm --set 900 120 300
	echo 'refused in mid-file and with an error: the table of FULLNAT services is as before'
}

# The shipped file has comments alone.  It is put back, and the table of this namespace stays.
unit_loads() {
	rules=/etc/sysconfig/ipvsadm
	systemctl start ipvsadm.service || fail "the shipped $rules is not loaded: $(journalctl -u ipvsadm.service -o cat)"
	cp -p "$rules" "$work/shipped"
	echo '-A -t 10.1' >>"$rules"
	! systemctl reload ipvsadm.service || fail 'a broken file is reloaded'
	systemctl is-active ipvsadm.service || fail 'a refused reload ended the unit'
	within 20 journal_has_word
	cp -p "$work/shipped" "$rules"
	echo 'the shipped file is loaded, and an error in it refused by its line'
}

journal_has_word() {
	journalctl --unit ipvsadm.service --output cat | grep "$rules:[0-9]*: .10.1.: illegal virtual server"
}
