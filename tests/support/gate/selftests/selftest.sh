#!/bin/sh
# The tree's own test of IPVS, tools/testing/selftests/netfilter/ipvs.sh, as it is there: all of
# its tests pass, and none is skipped.
[ -f /gate/selftest/ipvs.sh ] || fail "the tree does not have it"

# This shell takes busybox's `ip` unless it has read lib.sh. A test that fails may wait for ever.
timeout 120 sh -c '. /gate/lib.sh; . /gate/selftest/ipvs.sh' >/tmp/said 2>/tmp/complained
status=$?
cat /tmp/said /tmp/complained
[ $status != 4 ] || fail "it is skipped"
[ $status = 0 ] || fail "it ends with $status"
! grep -qi skip /tmp/said || fail "not all of it is run"
! [ -s /tmp/complained ] || fail "not all of its commands succeed"
ok
