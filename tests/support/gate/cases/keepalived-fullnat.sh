#!/bin/sh
# keepalived sets up FULLNAT, changes local addresses and servers at a reload while a connection
# runs, moves a local address by VRRP, and takes all of it away when it stops.
CONF=/tmp/keepalived.conf LOG=/tmp/keepalived.log
network
add_local 10.1.0.11/32 10.1.0.12/32 10.1.0.13/32 fd01::11/128
in_ server ip addr add 10.1.0.3/24 dev to-director
for one in 10.1.0.2 10.1.0.3; do in_ server traffic serve $one:8080 & done

group() { # NAME LINE...: a group of local addresses
    echo "local_address_group $1 {"
    shift
    printf '%s\n' "$@" "}"
}
service() { # SERVICE METHOD GROUP SERVER...: with health checks each second
    echo "virtual_server $1 {"
    printf '%s\n' "delay_loop 1" "lb_algo rr" "protocol TCP" "lb_kind $2" "laddr_group_name $3" "bindto 10.1.0.1"
    shift 3
    for one in "$@"; do printf '%s\n' "real_server $one 8080 {" "TCP_CHECK {" "}" "}"; done
    echo "}"
}
vrrp() { # ADDRESS: moved with the director
    printf '%s\n' "vrrp_instance lan {" "interface to-server" "virtual_router_id 7" "priority 100" \
        "virtual_ipaddress {" "10.1.0.20/32 dev to-server" "}" "virtual_ipaddress_excluded {" "$1/32 dev to-server" "}" "}"
}
laddrs() { director -G -n "$@" | sed -n 's/^ *=> \([0-9a-f][^ ]*[.:][^ ]*\) .*/\1/p' | sort | xargs; }
servers() { director -L -n "$@" | sed -n 's/^ *-> \([0-9][^ ]*\) *\([A-Za-z]*\).*/\1 \2/p' | sort | xargs; }
until_() { # SECONDS COMMAND...: is true
    tries=$1
    shift
    until "$@"; do
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then
            tail -n 20 $LOG
            fail "not within its time: $*: [$(laddrs)] [$(servers)]"
        fi
        sleep 1
    done
}
# is LADDRS SERVERS [SERVICE]
is() { [ "$(laddrs ${3+-t $3})" = "$1" ] && [ "$(servers ${3+-t $3})" = "$2" ]; }
carries() { # WORD: the connection does, both ways
    echo "$1" >&3
    until_ 10 grep -q "$1" /tmp/answers
}
owns() { in_ director ip -brief addr show dev to-server | grep -q "$1/32"; }

{
    group lan 10.1.0.11-12 fd01::11
    service "10.0.0.1 80" FNAT lan 10.1.0.2
    group moving 10.1.0.21
    service "10.0.0.1 90" FNAT moving 10.1.0.2
    vrrp 10.1.0.21
} >$CONF
in_ director keepalived -t -f $CONF || fail "the configuration is refused"
in_ director keepalived -n -l -D -f $CONF -p /run/ka.pid >$LOG 2>&1 &
until_ 10 is "10.1.0.11 10.1.0.12" "10.1.0.2:8080 FullNat" 10.0.0.1:80
until_ 10 is 10.1.0.21 "10.1.0.2:8080 FullNat" 10.0.0.1:90
until_ 15 owns 10.1.0.21
in_ client traffic honest 10.0.0.1:90 10 10 1000 >/tmp/honest
grep -q "served 10 of 10" /tmp/honest || fail "by the address of VRRP: $(cat /tmp/honest)"
KEEPALIVED=$(cat /run/ka.pid)
mkfifo /tmp/questions
in_ client nc 10.0.0.1 80 </tmp/questions >/tmp/answers &
exec 3>/tmp/questions
carries one
kill -USR1 "$KEEPALIVED"
until_ 10 grep -q "LIP = fd01::11" /tmp/keepalived_check.data
kill "-$(keepalived --signum=JSON)" "$KEEPALIVED"
until_ 10 grep -q '"local_address_group":"lan"' /tmp/keepalived_check.json

# a server more, and all local addresses are others, also that of the connection
{ group lan 10.1.0.13; service "10.0.0.1 80" FNAT lan 10.1.0.2 10.1.0.3; } >$CONF
kill -HUP "$KEEPALIVED"
until_ 10 is 10.1.0.13 "10.1.0.2:8080 FullNat 10.1.0.3:8080 FullNat"
carries two
owns 10.1.0.21 && fail "the address of VRRP stays"
in_ client traffic honest 10.0.0.1:80 20 20 1000 >/tmp/honest
grep -q "served 20 of 20" /tmp/honest || fail "new connections: $(cat /tmp/honest)"

# a group of services: one goes, one comes, one stays
{
    printf '%s\n' "virtual_server_group vips {" "10.0.0.1 81" "10.0.0.1 82" "}"
    group lan 10.1.0.13
    service "group vips" FNAT lan 10.1.0.2
} >$CONF
kill -HUP "$KEEPALIVED"
until_ 10 is 10.1.0.13 "10.1.0.2:8080 FullNat" 10.0.0.1:82
sed -i -e 's/^10.0.0.1 81/10.0.0.1 83/' -e 's/10.1.0.13/10.1.0.11-12/' $CONF
kill -HUP "$KEEPALIVED"
for port in 82 83; do until_ 10 is "10.1.0.11 10.1.0.12" "10.1.0.2:8080 FullNat" 10.0.0.1:$port; done
director -L -n | grep -q 10.0.0.1:81 && fail "the service that is gone stays"

# NAT, which has none, and back
{ group lan 10.1.0.11; service "10.0.0.1 80" NAT lan 10.1.0.3; } >$CONF
kill -HUP "$KEEPALIVED"
until_ 10 is "" "10.1.0.3:8080 Masq"
sed -i 's/lb_kind NAT/lb_kind FNAT/' $CONF
kill -HUP "$KEEPALIVED"
until_ 10 is 10.1.0.11 "10.1.0.3:8080 FullNat"

kill "$KEEPALIVED"
until_ 10 grep -q "Stopped Keepalived" $LOG
director -L -n | grep -E '^TCP|-> [0-9]' && fail "left: $(director -S -n)"
grep -E 'cannot|error' $LOG && fail "keepalived had errors"
ok
