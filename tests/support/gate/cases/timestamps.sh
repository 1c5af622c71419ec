#!/bin/sh
# fullnat_timestamp_remove takes the timestamp out of SYNs, so that the server does not use them; by
# default a client's timestamps pass.
# shellcheck source=/dev/null
. /gate/probe.sh

stamp=080a0000000100000000
others=020405b40402

network
for family in 4 6; do
    use $family
    expect "the timestamp passes" \
        "S seq=5000 ack=0 opts=$(toa 4300)$others$stamp data=0 gso=0 sum=ok" \
        4300 "c:S:5000:0:$others$stamp:0"
    in_ director sysctl -qw net.ipv4.vs.fullnat_timestamp_remove=1 || fail "no such switch"
    for toa in 1 0; do
        in_ director sysctl -qw net.ipv4.vs.fullnat_toa=$toa
        option=
        [ $toa = 0 ] || option=$(toa 430$((toa + 1)))
        expect "SYN without timestamp, TOA $toa" \
            "S seq=5000 ack=0 opts=$option$others$(repeat 10 01) data=0 gso=0 sum=ok" \
            430$((toa + 1)) "c:S:5000:0:$others$stamp:0"
        # At an odd place, and where the end of options comes first.
        expect "SYN with an odd timestamp, TOA $toa" \
            "S seq=6000 ack=0 opts=*01$(repeat 10 01)* data=0 gso=0 sum=ok" \
            430$((toa + 3)) "c:S:6000:0:01${stamp}00:0"
    done
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa=1
    # A connection that has them already keeps them.
    expect "no other packet is changed" \
        "S *
SA *
A seq=5001 ack=2 opts=$(toa 4305)0101$stamp data=0 gso=0 sum=ok" \
        4305 c:S:5000:0:-:0 s:SA:1:5001:-:0 "c:A:5001:2:0101$stamp:0"
    in_ director sysctl -qw net.ipv4.vs.fullnat_timestamp_remove=0
    director -C
done
ok
