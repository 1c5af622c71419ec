# shellcheck shell=sh disable=SC2154  # work and here are set by run, which reads this file
# Reporting, and what the checks of every self-test use.  A self-test defines power_off.

clock() { # sets clock: milliseconds since power-on of the kernel
	read -r up _ </proc/uptime
	clock=$(( ${up%.*} * 1000 + (1${up#*.} - 100) * 10 ))
}

say_start() { # MICROSECONDS from the kernel's start to its first process
	read -r up _ </proc/uptime
	printf '{"phase": "start", "uptime": %s, "kernel_us": %d}\n' "$up" "$1" >&3
}

quote() { # sets quoted: $1 fit for a JSON string
	quoted=$1
	case $quoted in
	*[!\ -~]*) quoted=$(printf '%s' "$quoted" | tr -c ' -~' '?') ;;
	esac
	while :; do
		case $quoted in
		*\\*) quoted=${quoted%%\\*}/${quoted#*\\} ;;
		*\"*) quoted=${quoted%%\"*}\'${quoted#*\"} ;;
		*) return ;;
		esac
	done
}

words_of() { # sets words: last line of file $1, or with a second argument all of it (cut)
	words='' line=''
	while read -r line || [ -n "$line" ]; do
		[ -n "$line" ] || continue
		if [ $# -gt 1 ]; then words="${words:+$words | }$line"; else words=$line; fi
	done <"$1"
	if [ "${#words}" -gt 2000 ]; then words="...$(printf '%s' "$words" | tail -c 2000)"; fi
}

check() { # NAME COMMAND...: runs it, reports it; output is the detail
	name=$1
	shift
	clock
	began=$clock
	(
		set -e
		"$@"
	) >"$work/out/$name" 2>&1 </dev/null 3>&-
	status=$?
	clock
	ok=true unsupported=false
	if [ "$status" -eq "$UNSUPPORTED" ]; then
		unsupported=true
		words_of "$work/out/$name"
	elif [ "$status" -eq 0 ]; then
		words_of "$work/out/$name"
		# a check that has seen nothing has proven nothing
		if [ -z "$words" ]; then ok=false words='the check passed without seeing anything'; fi
	else
		ok=false
		words_of "$work/out/$name" all
		words="status $status: $words"
	fi
	[ "$ok" = true ] || : >"$work/failed/$name"
	: >"$work/done/$name"
	quote "$words"
	printf '{"check": "%s", "ok": %s, "detail": "%s", "ms": %d, "unsupported": %s}\n' \
		"$name" "$ok" "$quoted" "$(( clock - began ))" "$unsupported" >&3
}

# As automake's test drivers have it.
UNSUPPORTED=77

unsupported() { # REASON: this system cannot do what the check is about
	echo "$*"
	exit "$UNSUPPORTED"
}

fail() {
	echo "$*"
	exit 1
}

within() { # SECONDS COMMAND...: repeats it until it succeeds; shows its last words if it never does
	clock
	deadline=$(( clock + $1 * 1000 ))
	shift
	until "$@" >"$work/out/poll.$name" 2>&1; do
		clock
		if [ "$clock" -ge "$deadline" ]; then
			echo "never came true: $*"
			cat "$work/out/poll.$name"
			return 1
		fi
		sleep 0.1
	done
}

release_is_built() {
	read -r running </proc/sys/kernel/osrelease
	read -r built <"$here/release"
	[ "$running" = "$built" ] || fail "running $running, built $built"
	echo "$running"
}

no_kernel_complaints() {
	dmesg >"$work/dmesg"
	# an empty log would prove nothing
	grep -q 'Linux version' "$work/dmesg" || fail 'dmesg does not show the boot'
	if grep -E 'WARNING:|BUG:|BUG |Oops|general protection|Call Trace|refcount_t|rcu.*stall|soft lockup|hung task|segfault at' "$work/dmesg"; then
		exit 1
	fi
	echo "$(grep -c . "$work/dmesg") lines, nothing to complain about"
}

finish() {
	count=0
	for entry in "$work"/done/*; do [ ! -e "$entry" ] || count=$(( count + 1 )); done
	verdict=pass
	for entry in "$work"/failed/*; do [ ! -e "$entry" ] || verdict=fail; done
	printf '{"verdict": "%s", "checks": %d}\n' "$verdict" "$count" >&3
	if [ "$verdict" = pass ] && [ -c /dev/port ]; then
		printf '\052' | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>"$work/out/leave"
	fi
	# only reached if something failed, or if the port took no notice
	cat "$work/out/leave" 2>/dev/null
	power_off
}
