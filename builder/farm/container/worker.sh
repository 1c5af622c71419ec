#!/bin/sh
# Runs inside a worker's container: distccd on the container's own loopback interface, and the one
# way to it from outside, a Unix socket.  Ends when nobody holds the other end of the lifeline.
# Arguments: the number of jobs, the seconds of one, and its niceness.
set -eu
jobs=$1 lifetime=$2 niceness=$3

# /usr/lib/distcc lists the compilers that may be asked for.
(
	distccd --no-detach --daemon --log-stderr --log-level warning \
		--listen 127.0.0.1 --allow 127.0.0.1 --jobs "$jobs" --job-lifetime "$lifetime" \
		--nice "$niceness" || true
	kill 0
) &
socat "UNIX-LISTEN:/worker/socket,fork,mode=0666,backlog=128" TCP:127.0.0.1:3632 &
cat /worker/lifeline
