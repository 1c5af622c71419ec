#!/bin/sh
# Packets that GRO has joined: TOA is on the first data segment alone, no byte is lost or doubled,
# and what carries no TOA passes in one piece.
# shellcheck source=/dev/null
. /gate/probe.sh

network
for family in 4 6; do
    use $family
    PORT=4100
    expect "the first data, joined with more" \
        "S seq=5000 *
SA seq=1 ack=5001 *
A seq=5001 ack=2 opts=$(toa $PORT) data=0 gso=0 sum=ok
A seq=5001 ack=2 opts=$(toa $PORT) data=1000 gso=0 sum=ok
A seq=6001 ack=2 opts= data=1000 gso=0 sum=ok
PA seq=7001 ack=2 opts= data=500 gso=0 sum=ok
PA seq=7501 ack=2 opts= data=30000 gso=1000 sum=ok
A seq=5001 ack=2 opts=$(toa $PORT) data=1000 gso=0 sum=ok
FPA seq=6001 ack=2 opts= data=1 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 s:SA:1:5001:-:0 c:A:5001:2:-:0 c:PA:5001:2:-:2500:1000 \
        c:PA:7501:2:-:30000:1000 c:FPA:5001:2:-:1001:1000
    PORT=4101
    stamp=0101080a0000000100000002
    expect "beside timestamps, to the last byte that fits" \
        "S seq=5000 *
A seq=5001 ack=2 opts=$(toa $PORT)$stamp data=1400 gso=0 sum=ok
A seq=6401 ack=2 opts=$stamp data=1400 gso=0 sum=ok
PA seq=7801 ack=2 opts=$stamp data=700 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 "c:PA:5001:2:$stamp:3500:1400"
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa=0
    PORT=4102
    expect "without TOA nothing is cut" \
        "S seq=5000 *
PA seq=5001 ack=2 opts= data=2500 gso=1000 sum=ok" \
        $PORT c:S:5000:0:-:0 c:PA:5001:2:-:2500:1000
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa=1
done
ok
