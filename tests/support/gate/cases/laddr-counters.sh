#!/bin/sh
# What a local address did is counted for the network namespace: it outlives services, and is zeroed
# with all other counters.

# counted COLUMN NUMBER [ADDRESS]: in the table of ip_vs_ext_stats
counted() {
    # shellcheck disable=SC2016  # for awk
    seen=$(in_ director awk -v column="$1" -v address="${3:-10.1.0.1}" '
        $1 == "Local" { for (i = 1; i <= NF; i++) if ($i == column) n = i }
        n && $1 == address { print $n }' /proc/net/ip_vs_ext_stats)
    # shellcheck disable=SC2254
    case $seen in
    $2) ;;
    *) fail "$1 is ${seen:-missing}, not $2: $(in_ director cat /proc/net/ip_vs_ext_stats)" ;;
    esac
}

# listed COLUMN: of `ipvsadm -G --stats`, which has to say the same
listed() { director -G --stats --exact -n | awk -v n="$1" '$1 == "10.1.0.1" { print $n }'; }

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000 net.ipv4.vs.fullnat_lport_max=5009
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic hold 10.0.0.1:80 10 60 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 10 of 10" /tmp/held || fail "$(cat /tmp/held)"
in_ client traffic honest 10.0.0.1:80 1 1 500 >/tmp/more
counted ActiveConns 10
counted Conns 10
counted NoPort '[1-9]*'
counted NoMem 0
counted InPkts '[2-9][0-9]'
counted OutPkts '[2-9][0-9]'
[ "$(listed 2)" = 10 ] || fail "ipvsadm: $(director -G --stats -n)"
refused=$(listed 8) bytes=$(listed 5)
counted NoPort "$refused"
[ "$bytes" -gt 800 ] || fail "$bytes bytes for 10 handshakes"

# without a service
director -C
counted ActiveConns 10
counted Conns 10
counted NoPort "$refused"
[ "$(listed 2)" = 10 ] || fail "ipvsadm after -C: $(director -G --stats -n)"
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
counted Conns 10
director -G -n | grep -q "10.1.0.1  *10  *0  *$refused$" || fail "after -C: $(director -G -n)"

# zeroed, but for the connections that it has; forgotten when nothing uses it
director -Z
counted ActiveConns 10
counted Conns 0
counted NoPort 0
counted InBytes 0
[ "$(listed 2)" = 0 ] || fail "ipvsadm after -Z: $(director -G --stats -n)"

# a service without local address
director -A -t 10.0.0.1:81 -s rr
director -a -t 10.0.0.1:81 -r 10.1.0.2:8080 -b
in_ client traffic honest 10.0.0.1:81 1 1 500 >/tmp/more
in_ director grep -q '^fullnat_refused_no_laddr *: [1-9]' /proc/net/ip_vs_ext_stats || fail "no local address: $(in_ director cat /proc/net/ip_vs_ext_stats)"

until grep -q kept /tmp/held; do sleep 1; done
director -C
sleep 70
director -Z
in_ director grep -q 10.1.0.1 /proc/net/ip_vs_ext_stats && fail "an address that nothing uses is kept"
ok
