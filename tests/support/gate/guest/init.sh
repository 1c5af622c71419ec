#!/bin/sh
# The first process of the gate's guest: runs what GATE_RUN names, one after the other, and says
# on the console when each begins and ends.  The variables come from the kernel's command line.
export PATH=/sbin:/bin HOME=/root GATE=/gate

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var
mkdir -p /run/netns /var/tmp
mount -t tmpfs tmpfs /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/urandom c 1 9
mknod -m 600 /dev/kmsg c 1 11
hostname gate
/sbin/ip link set lo up

ip() { /sbin/ip "$@"; } # busybox would take its own

# In one order with the kernel's own lines.
say() { echo "<1>gate: $*" >/dev/kmsg; }

clear_up() { # what a case has left, also one that was killed
    for one in $(ip netns list | cut -d' ' -f1); do
        for pid in $(ip netns pids "$one"); do kill -9 "$pid" 2>/dev/null; done
        ip netns del "$one"
    done
    cd /tmp && rm -rf /tmp/* 2>/dev/null
}

# shellcheck disable=SC2086  # one word or none
modprobe ip_vs $GATE_MODULE || say "cannot load ip_vs"
for name in $(echo "$GATE_RUN" | tr ',' ' '); do
    say "begin $name"
    # To a file: what a case leaves running would hold a pipe open.
    timeout -s KILL "${GATE_LIMIT:-600}" sh /gate/case.sh "/gate/$name.sh" </dev/null >/run/said 2>&1
    while IFS= read -r line; do say "said $line"; done </run/said
    clear_up
    say "end $name"
done
sleep 1 # what RCU and timers still have to do
say "tainted $(cat /proc/sys/kernel/tainted)"
say "lockdep$(grep debug_locks /proc/lockdep_stats | tr -s ' ')"
say "over"
poweroff -f
