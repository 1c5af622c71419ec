#!/bin/sh
# A range of ports whose minimum is above the maximum is refused, and nothing changes.
network
vs=net.ipv4.vs.fullnat_lport
in_ director sysctl -qw ${vs}_max=50000 || fail "cannot set the maximum"
in_ director sysctl -qw ${vs}_min=60000 2>/dev/null
[ "$(in_ director sysctl -n ${vs}_min)" = 5000 ] || fail "minimum above the maximum is accepted"
in_ director sysctl -qw ${vs}_max=4000 2>/dev/null
[ "$(in_ director sysctl -n ${vs}_max)" = 50000 ] || fail "maximum below the minimum is accepted"
in_ director sysctl -qw ${vs}_min=50000 || fail "a range of one port is refused"
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
web server 10.1.0.2:8080
get http://10.0.0.1/ >/dev/null || fail "no answer through the only port"
in_ director grep -q '10.1.0.1:50000 ' /proc/net/ip_vs_conn_fullnat || fail "another port: $(in_ director cat /proc/net/ip_vs_conn_fullnat)"
ok
