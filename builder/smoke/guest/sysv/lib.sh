# shellcheck shell=sh disable=SC2154  # work and here are set by run, which reads this file
# What this self-test asks of a guest without systemd and without namespaces that have names.

kernel_time() {
	# The first process's start is all that such a kernel tells (proc(5), in hundredths).
	read -r line </proc/1/stat
	# shellcheck disable=SC2086 # fields
	set -- ${line##*)}
	echo "$(( ${20} * 10000 ))"
}

power_off() { poweroff -f; }

# A namespace lives as long as its agent does.
space() { # NAME: a network and mount namespace
	mkdir -p "$work/jobs"
	mkfifo "$work/$1.fifo"
	unshare -n -m sh "$here/agent" "$work/$1.fifo" >"$work/out/agent.$1" 2>&1 </dev/null 3>&- &
	echo "$!" >"$work/$1.pid"
}

inside() { # NAMESPACE COMMAND...: words without single quotes
	job=$(mktemp "$work/jobs/$1.XXXXXX")
	pipe=$work/$1.fifo
	shift
	for word in "$@"; do printf "'%s' " "$word"; done >"$job"
	echo "$job" >"$pipe"
	until [ -e "$job.status" ]; do usleep 20000; done
	cat "$job.out"
	read -r ended <"$job.status"
	return "$ended"
}

fetch() { # ADDRESS:PORT...: what servers say when the client asks them; fails if one does not
	lost=0
	for address in "$@"; do
		inside cl wget -q -T 5 -O - "http://$address/cgi-bin/who" || lost=1
	done
	return "$lost"
}

tools_present() {
	missing=''
	for tool in ip unshare mkfifo mktemp usleep httpd wget ipvsadm keepalived zebra ospfd \
		lvs-director-check modprobe sysctl dmesg tail tr grep sed dd cmp; do
		command -v "$tool" >/dev/null || missing="$missing $tool"
	done
	[ -c /dev/port ] || missing="$missing /dev/port (CONFIG_DEVPORT)"
	[ -z "$missing" ] || fail "not in the guest:$missing"
	echo 'all present'
}

director_is_checked() {
	lvs-director-check >"$work/out/checked" || fail "status $?: $(cat "$work/out/checked")"
	cat "$work/out/checked"
	for want in kernel: fullnat: table: 'service -t'; do
		grep -q "^ok  *$want" "$work/out/checked" || fail "not ok: $want"
	done
	echo "$(grep -c '^ok' "$work/out/checked") findings are ok, none failed"
}
