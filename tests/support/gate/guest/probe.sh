# shellcheck shell=sh
# For cases that make their packets by hand (tcp-probe): `network` with a service and two ends that
# no kernel answers for.

# use FAMILY: a FULLNAT service for hand-made packets of IPv4 (4) or IPv6 (6)
use() {
    FAMILY=$1
    # A half-open connection that expires sends RST: not among the packets of another one.
    in_ director sysctl -qw net.ipv4.vs.fullnat_timeout_half_open=3600
    for side in client server; do
        mac=$(in_ "$side" cat /sys/class/net/to-director/address)
        net=$([ "$side" = client ] && echo 0 || echo 1)
        for end in "10.$net.0.9" "fd0$net::9"; do
            in_ director ip neigh replace "$end" lladdr "$mac" dev "to-$side" nud permanent
        done
    done
    if [ "$FAMILY" = 6 ]; then
        fullnat "[fd00::1]:80" fd01::1 "[fd01::9]:80"
    else
        fullnat 10.0.0.1:80 10.1.0.1 10.1.0.9:80
    fi || fail "the service is refused"
}

# toa PORT: the option that the server gets for the client's port, in hexadecimal digits
toa() {
    if [ "$FAMILY" = 6 ]; then
        printf 'fd14%04xfd000000000000000000000000000009' "$1"
    else
        printf 'fe08%04x0a000009' "$1"
    fi
}

# repeat COUNT HEX: the digits, as often
repeat() {
    n=$1
    while [ "$n" -gt 0 ]; do
        printf %s "$2"
        n=$((n - 1))
    done
}

# expect WHAT WANTED PORT STEP...: the lines that tcp-probe says, each of them a shell pattern
expect() {
    what=$1 wanted=$2
    shift 2
    seen=$(tcp-probe "$FAMILY" "$@")
    # shellcheck disable=SC2254
    case $seen in
    $wanted) ;;
    *) fail "IPv$FAMILY: $what: wanted
$wanted
seen
$seen" ;;
    esac
}
