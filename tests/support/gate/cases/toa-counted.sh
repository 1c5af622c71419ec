#!/bin/sh
# What becomes of TOA is counted by reason, and zeroed with all other counters.
# shellcheck source=/dev/null
. /gate/probe.sh

# counted NAME NUMBER: of the director's counter
counted() {
    seen=$(in_ director sed -n "s/^$1 *: //p" /proc/net/ip_vs_ext_stats)
    [ "$seen" = "$2" ] || fail "$1 is ${seen:-missing}, not $2"
}

network
use 4
forged=fe08270f01020304
others=$(repeat 4 1d0a0102030405060708)
tcp-probe 4 4001 c:S:5000:0:-:0 c:A:5001:1:-:1460 "c:A:6461:1:$forged:0" >/dev/null
tcp-probe 4 4002 "c:S:5000:0:$others:0" >/dev/null
counted fullnat_add_toa_ok 1
counted fullnat_add_toa_fail_len 1
counted fullnat_add_toa_fail_head_full 1
counted fullnat_add_toa_fail_fragment 0
counted fullnat_add_toa_fail_mem 0
counted fullnat_toa_scrubbed 1
counted fullnat_toa_bad_header 0
director -Z
counted fullnat_add_toa_ok 0
counted fullnat_toa_scrubbed 0
ok
