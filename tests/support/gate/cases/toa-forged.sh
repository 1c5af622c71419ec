#!/bin/sh
# What a client sends of the options that tell servers its address (TOA, kinds 254 and 253) never
# reaches a server, wherever it stands and in whichever packet; and no second SYN takes TOA away.
# shellcheck source=/dev/null
. /gate/probe.sh

PORT=4000

# clean WHAT OPTIONS WANTED: of a SYN with these options, the server gets TOA and then WANTED
clean() {
    PORT=$((PORT + 1))
    expect "$1" "S seq=5000 ack=0 opts=$(toa $PORT)$3 data=0 gso=0 sum=ok" \
        $PORT "c:S:5000:0:$2:0"
}

forged_syn() {
    forged=fe08270f01020304
    clean "one forged option" "$forged" "$(repeat 8 01)"
    clean "two" "$forged$forged" "$(repeat 16 01)"
    clean "the kind of IPv6" "fd14270f$(repeat 16 aa)" "$(repeat 20 01)"
    clean "odd offset" "01${forged}020405b4010101" "$(repeat 9 01)020405b4010101"
    clean "behind others" "020405b4$forged" "020405b4$(repeat 8 01)"
    clean "length 0" "fe00270f01020304" "$(repeat 8 01)"
    clean "length 1" "01fe01270f010203" "$(repeat 8 01)"
    clean "longer than the header" "fe28270f01020304" "$(repeat 8 01)"
    clean "no length" "010101fe" "$(repeat 4 01)"
    clean "another length" "fe04f989fe06e2d4c3d90101" "$(repeat 12 01)"
    clean "behind a malformed option" "0800$forged$forged""0101" "$(repeat 20 01)"
    clean "behind the end of options" "0000${forged}0000" "$(repeat 12 01)"
    clean "options of others stay" "020405b40402080a0000000100000000" "020405b40402080a0000000100000000"
}

# With a full header there is room where the forgery was, or padding.
full_header() {
    size=$([ "${FAMILY:-4}" = 6 ] && echo 20 || echo 8)
    clean "full of forgeries" "$(repeat 5 fe08270f01020304)" "$(repeat $((40 - size)) 01)"
    clean "full of padding" "$(repeat 36 01)020405b4" "020405b4$(repeat $((36 - size)) 01)"
    PORT=$((PORT + 1))
    others=$(repeat 4 1d0a0102030405060708)
    expect "full of other options: they stay, without TOA" \
        "S seq=5000 ack=0 opts=$others data=0 gso=0 sum=ok" $PORT "c:S:5000:0:$others:0"
}

forged_later() {
    PORT=$((PORT + 1))
    forged=fe08270f01020304
    expect "forged in the handshake's ACK, in data and in later data" \
        "S seq=5000 *
SA seq=9000 ack=5001 *
A seq=5001 ack=9001 opts=$(toa $PORT)$(repeat 8 01) data=0 gso=0 sum=ok
PA seq=5001 ack=9001 opts=$(toa $PORT)$(repeat 8 01) data=10 gso=0 sum=ok
A seq=5011 ack=9001 opts=$(repeat 8 01) data=99 gso=0 sum=ok
FA seq=5110 ack=9001 opts=$(repeat 8 01) data=0 gso=0 sum=ok
R seq=5111 ack=0 opts=$(repeat 8 01) data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 s:SA:9000:5001:-:0 "c:A:5001:9001:$forged:0" \
        "c:PA:5001:9001:$forged:10" "c:A:5011:9001:$forged:99" "c:FA:5110:9001:$forged:0" \
        "c:R:5111:0:$forged:0"
    PORT=$((PORT + 1))
    expect "forged in a packet that GRO has joined" \
        "S seq=5000 *
A seq=5001 ack=1 opts=$(toa $PORT)$(repeat 8 01) data=1000 gso=0 sum=ok
A seq=6001 ack=1 opts=$(repeat 8 01) data=1000 gso=0 sum=ok
PA seq=7001 ack=1 opts=$(repeat 8 01) data=1000 gso=0 sum=ok
PA seq=8001 ack=1 opts=$(repeat 8 01) data=3000 gso=1000 sum=ok" \
        $PORT c:S:5000:0:-:0 "c:PA:5001:1:$forged:3000:1000" "c:PA:8001:1:$forged:3000:1000"
}

second_syn() {
    PORT=$((PORT + 1))
    expect "a second SYN does not move what gets TOA" \
        "S seq=5000 *
S seq=900000 *
A seq=5001 ack=1 opts=$(toa $PORT) data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 c:S:900000:0:-:0 c:A:5001:1:-:0
    PORT=$((PORT + 1))
    expect "what the server has accepted counts" \
        "S seq=5000 *
S seq=900000 *
SA seq=1 ack=900001 *
A seq=5001 ack=1 opts= data=0 gso=0 sum=ok
A seq=900001 ack=1 opts=$(toa $PORT) data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 c:S:900000:0:-:0 s:SA:1:900001:-:0 c:A:5001:1:-:0 c:A:900001:1:-:0
    PORT=$((PORT + 1))
    expect "SYN cookies: either handshake can be completed, both get TOA" \
        "S seq=5000 *
SA seq=1 ack=5001 *
S seq=900000 *
SA seq=2 ack=900001 *
A seq=5001 ack=2 opts=$(toa $PORT) data=0 gso=0 sum=ok
A seq=900001 ack=3 opts=$(toa $PORT) data=0 gso=0 sum=ok
A seq=2 ack=900001 *
A seq=900002 ack=3 opts= data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 s:SA:1:5001:-:0 c:S:900000:0:-:0 s:SA:2:900001:-:0 \
        c:A:5001:2:-:0 c:A:900001:3:-:0 s:A:2:900001:-:0 c:A:900002:3:-:0
}

room() {
    less=$([ "${FAMILY:-4}" = 6 ] && echo 05a0 || echo 05ac)
    PORT=$((PORT + 1))
    expect "room in the client's segments" \
        "S seq=5000 *
SA seq=1 ack=5001 opts=0204${less} data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 s:SA:1:5001:020405b4:0
    PORT=$((PORT + 1))
    expect "room, at an odd offset" \
        "S seq=5000 *
SA seq=1 ack=5001 opts=010204${less}010101 data=0 gso=0 sum=ok" \
        $PORT c:S:5000:0:-:0 s:SA:1:5001:01020405b4010101:0
}

switched() {
    forged=fe08270f01020304
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa=0
    PORT=$((PORT + 1))
    expect "no TOA: forgeries are overwritten all the same" \
        "S seq=5000 ack=0 opts=$(repeat 8 01) data=0 gso=0 sum=ok" $PORT "c:S:5000:0:$forged:0"
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa_scrub=0
    PORT=$((PORT + 1))
    expect "told to let them pass" \
        "S seq=5000 ack=0 opts=$forged data=0 gso=0 sum=ok" $PORT "c:S:5000:0:$forged:0"
    in_ director sysctl -qw net.ipv4.vs.fullnat_toa=1 net.ipv4.vs.fullnat_toa_scrub=1
}

network
for family in 4 6; do
    use $family
    forged_syn
    full_header
    forged_later
    second_syn
    room
    switched
done
ok
