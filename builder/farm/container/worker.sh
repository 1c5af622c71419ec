#!/bin/sh
# Runs inside a compiler's container: slots, each with a distccd of its own on the container's
# loopback interface, and a connection to the host's socket for each job.
# Ends when nobody holds the other end of the lifeline, and if a slot cannot go on.
# Arguments: the number of jobs, the seconds of one, and its niceness.
set -eu
jobs=$1 lifetime=$2 niceness=$3

slot() {
	trap 'kill "$$"' EXIT
	port=$((3700 + $1))
	export TMPDIR="/tmp/$1"
	mkdir "$TMPDIR"
	# With --inetd, distccd would look once a second whether the compiler has ended.
	# /usr/lib/distcc lists the compilers that may be asked for.
	distccd --no-detach --daemon --log-stderr --log-level warning \
		--listen 127.0.0.1 --port "$port" --allow 127.0.0.1 \
		--jobs 1 --job-lifetime "$lifetime" --nice "$niceness" &
	while kill -0 "$!"; do
		socat "TCP:127.0.0.1:$port" UNIX-CONNECT:/worker/socket || sleep 0.1
		rm -rf "${TMPDIR:?}"/*
	done
}

# Opened before the first slot comes: the host may let go at once, and then an open would wait
# for ever, as it would if the host has gone already.
timeout 30 sh -c ': </worker/lifeline'
exec 3</worker/lifeline
while [ "$jobs" -gt 0 ]; do
	slot "$jobs" 3<&- &
	jobs=$((jobs - 1))
done
cat <&3
