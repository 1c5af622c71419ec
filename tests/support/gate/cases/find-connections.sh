#!/bin/sh
# GET_CONN finds the connections of a client, and those of a local address and port, however many
# others there are.

director_() { in_ director find-connections "$@"; }

network
in_ director sysctl -qw net.ipv4.vs.fullnat_timeout_udp=3600
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
fullnat "[fd00::1]:80" fd01::1 "[fd01::2]:8080"
in_ server traffic serve 10.1.0.2:8080 &
in_ server traffic serve "[fd01::2]:8080" &
sleep 1
in_ client traffic hold 10.0.0.1:80 3 400 >/tmp/held &
in_ client traffic hold "[fd00::1]:80" 2 400 >/tmp/held6 &
until grep -q served /tmp/held && grep -q served /tmp/held6; do sleep 0.2; done

# the same as in proc
director_ client 10.0.0.2 >/tmp/found || fail "GET_CONN is refused"
in_ director grep "^TCP 10.0.0.2:" /proc/net/ip_vs_conn_fullnat | cut -d' ' -f1-6 | sort >/tmp/wanted
[ "$(cut -d' ' -f1-6 /tmp/found | sort)" = "$(cat /tmp/wanted)" ] || fail "client: $(cat /tmp/found)"
[ "$(wc -l </tmp/found)" = 3 ] || fail "client: $(cat /tmp/found)"
[ "$(director_ client "[fd00::2]" | wc -l)" = 2 ] || fail "client of IPv6: $(director_ client "[fd00::2]")"
read -r _ one _ local _ </tmp/found
director_ client "$one" >/tmp/one
[ "$(wc -l </tmp/one) $(cut -d' ' -f2 /tmp/one)" = "1 $one" ] || fail "client and port: $(cat /tmp/one)"
director_ local "$local" >/tmp/one
[ "$(wc -l </tmp/one) $(cut -d' ' -f2,4 /tmp/one)" = "1 $one $local" ] || fail "local address and port: $(cat /tmp/one)"
director -L -c -n -z "$local" >/tmp/one
grep -q " $one  *10.0.0.1:80  *$local  *10.1.0.2:8080" /tmp/one || fail "ipvsadm, $local: $(cat /tmp/one)"
local6=$(director_ client "[fd00::2]" | head -1 | cut -d' ' -f4)
[ "$(director_ local "$local6" | cut -d' ' -f4)" = "$local6" ] || fail "local address of IPv6: $(director_ local "$local6")"
# nobody
[ -z "$(director_ client 10.0.0.77)$(director_ local 10.1.0.77:5000)" ] || fail "connections of nobody"
director_ local 10.1.0.1 2>/dev/null && fail "a local address without port would be a search"
in_ director unshare -U find-connections client 10.0.0.2 2>/dev/null && fail "anybody may ask"

# the server of a service without port can have any
director -A -u 10.0.0.1:0 -s rr -p 60
director -P -u 10.0.0.1:0 -z 10.1.0.1
director -a -u 10.0.0.1:0 -r 10.1.0.2:0 -b
in_ server traffic echo 10.1.0.2:5353 &
sleep 1
in_ client traffic ask 10.0.0.1:5353 1 1 1500 >/tmp/asked
grep -q "served 1 of 1" /tmp/asked || fail "$(cat /tmp/asked)"
local=$(in_ director sed -n 's/^UDP 10.0.0.2:.* \(10.1.0.1:[0-9]*\) 10.1.0.2:5353 .*/\1/p' /proc/net/ip_vs_conn_fullnat)
director_ local "$local" | grep -q "^UDP 10.0.0.2:.* $local 10.1.0.2:5353 " || fail "without port, $local: $(director_ local "$local")"
director -D -u 10.0.0.1:0

# the cost with a hundred times as many
local=$(head -1 /tmp/found | cut -d' ' -f4)
director -A -u 10.0.0.1:53 -s rr
director -P -u 10.0.0.1:53 -z 10.1.0.1
director -a -u 10.0.0.1:53 -r 10.1.0.2:53 -b
in_ director ip route add 11.0.0.0/8 via 10.0.0.2
in_ client ip route add blackhole 11.0.0.0/8
took() { director_ "$@" 3000 | sed 's/.* \([0-9]*\) ticks/\1/'; }
in_ client traffic datagrams 10.0.0.1:53 100 1000
connections 100
client=$(took client 10.0.0.2) port=$(took local "$local")
in_ client traffic datagrams 10.0.0.1:53 9900 5000
connections 9000
# Noise makes it longer, and never each time.
for try in 1 2 3; do
    many_client=$(took client 10.0.0.2) many_port=$(took local "$local")
    echo "ticks with 100 and 10,000 connections: client $client, $many_client; local port $port, $many_port"
    [ "$many_client" -gt $((2 * client)) ] || [ "$many_port" -gt $((2 * port)) ] || ok
done
fail "more than twice as long with 10,000 connections ($try times)"
