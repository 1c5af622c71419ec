#!/bin/sh
# An established connection that expires, or whose server is removed, is forgotten by both ends, and
# the next user of its port is served at once; with fullnat_expire_rst=0 after one more SYN.
# shellcheck source=/dev/null
. /gate/probe.sh

# left HOST: its established connections
left() {
    in_ "$1" cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "01"' | wc -l
}

# forgotten WHEN: at both ends
forgotten() {
    for end in client server; do
        [ "$(left "$end")" = 0 ] || fail "$1: the $end still has $(left "$end") connections"
    done
}

# held VIP:PORT: a connection of the client that says nothing more
held() {
    in_ client traffic hold "$1" 1 3000 >/tmp/held &
    sleep 1
    grep -q "served 1 of 1" /tmp/held || fail "$1: $(cat /tmp/held)"
}

# next VIP:PORT MS WHEN: the next user of the port is served within the time
next() {
    said=$(in_ client traffic honest "$1" 1 1 "$2")
    [ "$said" = "served 1 of 1" ] || fail "$3: the next user is not served in $2 ms: $said"
}

network
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_min=5000
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=5000
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
fullnat "[fd00::1]:80" fd01::1 "[fd01::2]:8080" || fail "the service is refused"
in_ server traffic serve 10.1.0.2:8080 &
in_ server traffic serve "[fd01::2]:8080" &
sleep 1

director --set 5 0 0
for vip in 10.0.0.1:80 "[fd00::1]:80"; do
    held "$vip"
    sleep 10
    forgotten "$vip expired"
    next "$vip" 500 "$vip expired"
    sleep 70 # its TIME_WAIT holds the port
done

in_ director sysctl -qw net.ipv4.vs.conntrack=1
held 10.0.0.1:80
sleep 10
forgotten "with conntrack"
next 10.0.0.1:80 500 "with conntrack"
sleep 70
in_ director sysctl -qw net.ipv4.vs.conntrack=0

director --set 900 0 0
in_ director sysctl -qw net.ipv4.vs.expire_nodest_conn=1
held 10.0.0.1:80
director -d -t 10.0.0.1:80 -r 10.1.0.2:8080
sleep 5
forgotten "server removed"
director -a -t 10.0.0.1:80 -r 10.1.0.2:8080 -b
held 10.0.0.1:80
director -C
sleep 5
forgotten "table cleared"
in_ director sysctl -qw net.ipv4.vs.expire_nodest_conn=0

# Nobody is told: the next user does not see the stranger's ACK, and is served.
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
director --set 5 0 0
in_ director sysctl -qw net.ipv4.vs.fullnat_expire_rst=0
held 10.0.0.1:80
sleep 10
[ "$(left server)" = 1 ] || fail "switched off, and the server has $(left server) connections"
next 10.0.0.1:80 1500 "switched off"
director -C

# The numbers are those that each end expects.
in_ director sysctl -qw net.ipv4.vs.fullnat_expire_rst=1
for family in 4 6; do
    use $family
    director --set 3 0 0
    expect "both ends are told" \
        "S seq=5000 *
SA seq=1 ack=5001 *
A seq=5001 ack=2 *
PA seq=5001 ack=2 * data=10 *
A seq=2 ack=5011 *
PA seq=2 ack=5011 * data=20 *
A seq=5011 ack=22 *
*R seq=22 ack=0 *
R seq=5011 ack=0 opts= data=0 gso=0 sum=ok" \
        4100 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 c:PA:5001:2:-:10 s:A:2:5011:-:0 \
        s:PA:2:5011:-:20 c:A:5011:22:-:0 w w w w w l
    # What came after the last acknowledgement counts as well.
    expect "unacknowledged data" \
        "S seq=5000 *
SA seq=1 ack=5001 *
A seq=5001 ack=2 *
PA seq=5001 ack=2 * data=10 *
*R seq=2 ack=0 *
R seq=5001 ack=0 *
R seq=5011 ack=0 *" \
        4101 c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 c:PA:5001:2:-:10 w w w w w l
    director -C
done
ok
