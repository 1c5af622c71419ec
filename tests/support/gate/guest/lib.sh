# shellcheck shell=sh
# What cases share: every case is read by a shell that has read this file before.
#
#     client 10.0.0.2 ---- 10.0.0.1 director 10.1.0.1 ---- 10.1.0.2 server
#            fd00::2         fd00::1          fd01::1        fd01::2
#
# The addresses of one side are not known on the other: what the server sees of a client comes
# through the director.  The VIP is 10.0.0.1 (fd00::1); 10.1.0.1 (fd01::1) and whatever a case
# adds with `add_local` can be local addresses.

# Busybox would take its own ones, whatever PATH says.
ip() { /sbin/ip "$@"; }
tc() { /sbin/tc "$@"; }

ok() { echo "ok $NAME"; exit 0; }
fail() { echo "not ok $NAME: $*"; exit 1; }

# in HOST COMMAND...: run it in the host's network
in_() { host=$1; shift; ip netns exec "$host" "$@"; }

# Three hosts and their links, gone when the case ends.
network() {
    for host in client director server; do
        ip netns add "$host"
        in_ "$host" ip link set lo up
        in_ "$host" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    done
    trap end_network EXIT
    link client 2 director 1 0
    link director 1 server 2 1
    in_ director sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

end_network() {
    for host in client director server; do
        for pid in $(ip netns pids "$host" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
        ip netns del "$host" 2>/dev/null
    done
}

# link HOST NUMBER HOST NUMBER NET: both ends named for the host at the other end
link() {
    ip link add "to-$3" netns "$1" type veth peer name "to-$1" netns "$3"
    address "$1" "to-$3" "10.$5.0.$2/24" "fd0$5::$2/64"
    address "$3" "to-$1" "10.$5.0.$4/24" "fd0$5::$4/64"
}

address() {
    in_ "$1" ip addr add "$3" dev "$2"
    in_ "$1" ip addr add "$4" dev "$2" nodad
    in_ "$1" ip link set "$2" up
}

# add_local ADDRESS/LENGTH...: addresses of the director towards servers
add_local() {
    for one in "$@"; do in_ director ip addr add "$one" dev to-server; done
}

director() { in_ director ipvsadm "$@"; }

# fullnat VIP:PORT LOCAL SERVER:PORT: a service of TCP
fullnat() {
    director -A -t "$1" -s rr && director -P -t "$1" -z "$2" && director -a -t "$1" -r "$3" -b
}

# web HOST ADDRESS:PORT: answers GET / with the host's name
web() {
    mkdir -p "/tmp/$1"
    echo "$1" >"/tmp/$1/index.html"
    in_ "$1" httpd -p "$2" -h "/tmp/$1"
}

# get URL [SECONDS]: what the client gets
get() { in_ client timeout "${2:-5}" wget -q -O - "$1"; }

# load SEED: mutated packets from the client's side, beside the case, until `kill "$LOAD"`
load() {
    mac=$(in_ director cat /sys/class/net/to-client/address)
    (
        n=$1
        while in_ client fuzz-packets "$n" 500 to-director "$mac" client; do n=$((n + 1)); done
    ) >/dev/null 2>&1 &
    export LOAD=$!
}

# connections NUMBER: wait until the director has so many
connections() {
    tries=0
    while [ "$(in_ director sh -c "wc -l </proc/net/ip_vs_conn")" -lt "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "the load makes no $1 connections"
        usleep 100000
    done
}
