#!/bin/sh
# Where all ports to one server are busy, another one is scheduled as if this one were dead.

# service SCHEDULER [OPTION...]: with both servers
service() {
    director -D -t 10.0.0.1:80 2>/dev/null
    director -A -t 10.0.0.1:80 -s "$@" || fail "$*: the service is refused"
    director -P -t 10.0.0.1:80 -z 10.1.0.1
    director -a -t 10.0.0.1:80 -r 10.1.0.2:8080 -b
    director -a -t 10.0.0.1:80 -r 10.1.0.3:8080 -b
}

# served COUNT: how many of as many connections are
served() {
    in_ client traffic honest 10.0.0.1:80 "$1" 20 1500 >/tmp/served
    sed -n 's/.*served \([0-9]*\) of.*/\1/p' /tmp/served
}

# all COUNT WHAT, some COUNT WHAT
all() { [ "$(served "$1")" = "$1" ] || fail "$2: $(cat /tmp/served)"; }
some() {
    n=$(served "$1")
    if [ "$n" = 0 ] || [ "$n" = "$1" ]; then fail "$2: $(cat /tmp/served)"; fi
}

# fill SERVER PORT: hold all ports to it, by a service of its own with the same address
fill() {
    fullnat "10.0.0.1:$2" 10.1.0.1 "$1:8080"
    in_ client traffic hold "10.0.0.1:$2" 20 400 >"/tmp/held-$2" &
    until grep -q served "/tmp/held-$2"; do sleep 0.2; done
    grep -q "served 20 of 20" "/tmp/held-$2" || fail "$1: $(cat "/tmp/held-$2")"
}

fails() { director -G -n -t 10.0.0.1:80 | sed -n 's/.*=> 10.1.0.1 .* //p'; }

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5019
in_ server ip addr add 10.1.0.3/24 dev to-director
for one in 2 3; do in_ server traffic serve "10.1.0.$one:8080" & done
sleep 1

# the client's template is of the server that will be full
service rr -p 300
director -e -t 10.0.0.1:80 -r 10.1.0.3:8080 -b -w 0
all 1 "the first connection"
director -e -t 10.0.0.1:80 -r 10.1.0.3:8080 -b -w 1
fill 10.1.0.2 81
all 5 "persistence, server full"
director -L -n -c | grep -c "10.0.0.2:0 .* 10.1.0.3:8080" >/tmp/templates
[ "$(cat /tmp/templates)" = 1 ] || fail "no new template: $(director -L -n -c)"

for sched in rr wrr lc wlc; do
    service $sched
    all 10 "$sched"
done
[ "$(fails)" = 0 ] || fail "clients that were served are counted as refused: $(fails)"
for sched in sh mh; do
    service $sched -b $sched-port
    some 20 "$sched without fallback"
    service $sched -b $sched-port,$sched-fallback
    all 20 "$sched with fallback"
done
before=$(fails)
in_ director sysctl -qw net.ipv4.vs.fullnat_fallback=0 || fail "it can not be switched"
service rr
some 10 "switched off"
[ "$(fails)" -gt "$before" ] || fail "a refusal is not counted: $before, $(fails)"
in_ director sysctl -qw net.ipv4.vs.fullnat_fallback=1

# no server has room
fill 10.1.0.3 82
before=$(fails)
[ "$(served 3)" = 0 ] || fail "more connections than ports: $(cat /tmp/served)"
[ "$(fails)" -gt "$before" ] || fail "a refusal is not counted: $before, $(fails)"
# and it has again
for pid in $(ip netns pids client); do kill "$pid"; done
all 10 "after ports were released"
ok
