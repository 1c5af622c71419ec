#!/bin/sh
# Addresses, servers, services and the range of ports change under traffic, in an order made of the
# seed.
seed=${GATE_SEED:-1} count=${GATE_CHURN:-100}
echo "seed $seed, $count changes"

network
add_local 10.1.0.11/24 10.1.0.12/24
web server 10.1.0.2:8080
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
load "$seed"
(while :; do get http://10.0.0.1/ 1; done) >/dev/null 2>&1 &

# Most is refused, as what it needs has gone already: that is the point.
awk -v seed="$seed" -v count="$count" 'BEGIN {
    srand(seed)
    split("-P -Q", hang); split("-a -d", serve); split("-A -D", stand); split("rr wlc sh mh", by)
    split("10.1.0.1 10.1.0.11 10.1.0.12", near); split("10.1.0.2 10.1.0.3", far)
    for (i = 0; i < count; i++) {
        port = 80 + int(rand() * 2); kind = rand(); way = 1 + (rand() < 0.4)
        key = "-t 10.0.0.1:" port
        if (kind < 0.1)
            print "range", 5000 + int(rand() * 3) * 64, 5200 + int(rand() * 3) * 64
        else if (kind < 0.4)
            print hang[way], key, "-z", near[1 + int(rand() * 3)]
        else if (kind < 0.75)
            print serve[way], key, "-r", far[1 + int(rand() * 2)] ":8080", (way == 1 ? (rand() < 0.8 ? "-b" : "-m") : "")
        else if (kind < 0.95)
            print stand[way], key, (way == 1 ? "-s " by[1 + int(rand() * 4)] : "")
        else
            print (rand() < 0.3 ? "-C" : "-Z")
    }
}' >/tmp/changes
# range MIN MAX: at once, and back to all ports
range() {
    for one in "$1 $2" "5000 65535"; do
        in_ director sysctl -qw "net.ipv4.vs.fullnat_lport_max=${one#* }" "net.ipv4.vs.fullnat_lport_min=${one% *}"
    done
}
while read -r line; do
    # shellcheck disable=SC2086  # words of a command line
    case $line in
    range*) $line ;;
    *) director $line 2>/dev/null ;;
    esac && done_=$((done_ + 1))
done </tmp/changes
[ "${done_:-0}" -ge $((count / 10)) ] || fail "${done_:-0} changes were taken alone"
echo "$done_ changes were taken"
ok
