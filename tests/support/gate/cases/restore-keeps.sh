#!/bin/sh
# A restore that replaces the table, as a reload of the unit does, leaves connections alone, also with
# expire_nodest_conn=1; those of a server that is gone end with their next packet.
FILE=/tmp/table LOG=/tmp/carried
left() { in_ "$1" cat /proc/net/tcp | awk '$4 == "01"' | wc -l; }
carries() { # WORD: the connection does
    echo "$1" >&3
    sleep 1
    grep -q "$1" $LOG
}

network
in_ director sysctl -qw net.ipv4.vs.expire_nodest_conn=1
fullnat 10.0.0.1:80 10.1.0.1 10.1.0.2:8080 || fail "the service is refused"
in_ server traffic serve 10.1.0.2:8080 &
sleep 1
mkfifo /tmp/words
in_ client sh -c 'nc 10.0.0.1 80 </tmp/words >/tmp/carried' &
exec 3>/tmp/words
carries before || fail "the connection does not carry: $(cat $LOG)"

# The first lines take longer than the kernel waits before it ends connections of servers that have gone.
for port in $(seq 10000 12000); do echo "-A -t 10.0.0.1:$port -s rr"; done >$FILE
director -S -n >>$FILE
for _ in 1 2 3; do
    director -R --replace $FILE || fail "the file is refused"
    sleep 2
    [ "$(left client) $(left server)" = "1 1" ] || fail "a restore has ended the connection"
done
carries after || fail "the connection carries nothing after a restore: $(cat $LOG)"
[ "$(in_ director sysctl -n net.ipv4.vs.expire_nodest_conn)" = 1 ] || fail "the switch was not set back"

director -R --replace - <<END || fail "the other file is refused"
-A -t 10.0.0.1:80 -s rr
END
[ "$(in_ director sysctl -n net.ipv4.vs.expire_nodest_conn)" = 1 ] || fail "the switch was not set back"
carries gone && fail "a server that is gone goes on"
exec 3>&-
ok
