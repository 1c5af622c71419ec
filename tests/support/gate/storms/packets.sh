#!/bin/sh
# Mutated packets from both sides, of a seed; afterwards an honest client is still served.
seed=${GATE_SEED:-1} count=${GATE_PACKETS:-20000}
echo "seed $seed, $count packets"

network
services() { # v4 and v6, TCP and UDP, a mark, persistence
    for one in '-t 10.0.0.1:80' '-u 10.0.0.1:80' '-t [fd00::1]:80' '-u [fd00::1]:80' '-t 10.0.0.1:81 -p 60'; do
        case $one in *fd00*) near=fd01::1 far='[fd01::2]:8080' ;; *) near=10.1.0.1 far=10.1.0.2:8080 ;; esac
        key=${one%% -p*}
        # shellcheck disable=SC2086  # words of a command line
        director -A $one -s rr || fail "no service $one"
        # shellcheck disable=SC2086
        director -P $key -z $near || fail "no local address for $one"
        # shellcheck disable=SC2086
        director -a $key -r "$far" -b || fail "no FULLNAT for $one"
    done
}
services
web server 10.1.0.2:8080
mac() { in_ director cat "/sys/class/net/$1/address"; }
# The ports that the fuzzer takes on the servers' side.
in_ director sysctl -qw net.ipv4.vs.fullnat_lport_max=21999 net.ipv4.vs.fullnat_lport_min=20000
in_ director sysctl -qw net.ipv4.vs.conntrack="${GATE_CONNTRACK:-0}"
before=$(in_ director cat /sys/class/net/to-client/statistics/rx_packets)
in_ client fuzz-packets "$seed" $((count * 2 / 3)) to-director "$(mac to-client)" client || fail "fuzzer"
in_ server fuzz-packets "$((seed + 1))" $((count / 3)) to-director "$(mac to-server)" server || fail "fuzzer"
seen=$(($(in_ director cat /sys/class/net/to-client/statistics/rx_packets) - before))
[ "$seen" -ge $((count / 2)) ] || fail "the director saw $seen packets alone"
sleep 3 # the kernel sums its counters every two seconds
made=$(director -Ln --stats --exact | awk '$1 ~ /^(TCP|UDP)$/ { sum += $3 } END { print sum + 0 }')
[ "$made" -ge $((count / 30)) ] || fail "the packets made $made connections alone"
echo "$seen packets seen from clients, $made connections made"
director -C
services
said=$(get http://10.0.0.1/ 20)
[ "$said" = server ] || fail "an honest client got: $said"
ok
