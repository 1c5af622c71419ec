# shellcheck shell=sh disable=SC2154  # work and here are set by run, which reads this file
# What this self-test asks of systemd and iproute2.

kernel_time() {
	# microseconds from the kernel's start to its first process (org.freedesktop.systemd1)
	systemctl show --property=UserspaceTimestampMonotonic --value
}

power_off() { systemctl poweroff --force --force; }

inside() { # NAMESPACE COMMAND...
	space=$1
	shift
	nsenter --net="/run/netns/$space" -- "$@"
}

tools_present() {
	missing=''
	for tool in ip nsenter perl ipvsadm keepalived modprobe dmesg systemctl sleep tail tr grep dd cmp; do
		command -v "$tool" >/dev/null || missing="$missing $tool"
	done
	find_daemons zebra ospfd ripd || missing="$missing zebra/ospfd/ripd"
	[ -c /dev/port ] || missing="$missing /dev/port (CONFIG_DEVPORT)"
	[ -z "$missing" ] || fail "not in the guest:$missing"
	echo "all present, FRR in $daemons"
}

no_failed_units() {
	failed=$(systemctl list-units --state=failed --no-legend --plain)
	[ -z "$failed" ] || fail "failed units: $failed"
	loaded=$(systemctl list-units --type=service --no-legend --plain | grep -c .)
	echo "none failed of $loaded services"
}
