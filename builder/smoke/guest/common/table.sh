# shellcheck shell=sh disable=SC2154
# IPVS's table, saved and restored.  A self-test defines schedulers, in_table (which runs a
# command where the table is), table_filled, and more_saved, which may set also.

table_checks() {
	check ipvs.add table_filled
	check ipvs.save table_saved
	check ipvs.clear table_cleared
	check ipvs.restore table_restored
}

table_saved() {
	# one more service for each scheduler: each must also be able to take one
	port=9000
	for one in $schedulers; do
		port=$(( port + 1 ))
		echo "-A -t 10.1.0.2:$port -s $one"
	done >"$work/wanted"
	in_table ipvsadm -R <"$work/wanted"
	in_table ipvsadm -S -n >"$work/saved"
	for one in $schedulers; do
		grep -q -- "^-A -t 10.1.0.2:[0-9]* -s $one\$" "$work/saved" ||
			fail "the service with $one is not in: $(cat "$work/saved")"
	done
	also=''
	more_saved
	echo "$(grep -c . "$work/saved") lines saved, one service for each scheduler$also"
}

table_cleared() {
	in_table ipvsadm -C
	in_table ipvsadm -S -n >"$work/cleared"
	[ -s "$work/saved" ] || fail 'nothing was saved before'
	# Timeouts are no part of what is cleared.
	! grep -v '^--set ' "$work/cleared" || fail "left after clearing: $(cat "$work/cleared")"
	echo 'empty'
}

table_restored() { # and cleared: others may use the same table afterwards
	in_table ipvsadm -R <"$work/saved" || fail "status $?, of: $(cat "$work/saved")"
	in_table ipvsadm -S -n >"$work/again"
	[ -s "$work/again" ] || fail 'nothing was restored'
	cmp "$work/saved" "$work/again"
	in_table ipvsadm -C
	echo 'saved and restored tables are equal'
}
