#!/bin/sh
# Local ports are spread evenly over the range and over the addresses: chi-square of 16 parts of the
# range, and of 4 addresses, below what chance alone exceeds once in a thousand times.
network
add_local 10.1.0.11/24 10.1.0.12/24 10.1.0.13/24
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080
for one in 11 12 13; do director -P -t 10.0.0.1:80 -z "10.1.0.$one"; done
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
in_ client traffic hold 10.0.0.1:80 1600 60 >/tmp/held &
until grep -q served /tmp/held; do sleep 0.2; done
grep -q "served 1600 of 1600" /tmp/held || fail "$(cat /tmp/held)"
in_ director cat /proc/net/ip_vs_conn_fullnat | awk '
    NR > 1 { split($4, local, ":"); address[local[1]]++; part[int((local[2] - 5000) * 16 / 60536)]++; n++ }
    END {
        for (i = 0; i < 16; i++) { off = part[i] - n / 16; parts += off * off / (n / 16) }
        for (one in address) { all++; off = address[one] - n / 4; addresses += off * off / (n / 4) }
        printf "%d ports: chi-square of the range %.1f of 37.7, of %d addresses %.1f of 16.3\n", n, parts, all, addresses
        exit !(n == 1600 && all == 4 && parts < 37.7 && addresses < 16.3)
    }' >/tmp/spread || fail "$(cat /tmp/spread)"
cat /tmp/spread
ok
