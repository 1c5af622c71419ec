# shellcheck shell=sh
# What a kernel refuses, told check by check: "== NAME" begins one.  Run in a guest by test_ipvsadm_kernel.
show() { ipvsadm -S -n; ipvsadm -L --daemon; }
try() { "$@" && status=0 || status=$?; echo "status $status"; }
same() { show >now; cmp before now && echo same; }

echo '== save'
ip link set dummy0 up multicast on || { ip link add dummy0 type dummy; ip link set dummy0 up multicast on; }
ip addr add 10.9.9.1/24 dev dummy0
cat >rules <<E
# a table of everything but FULLNAT
--set 1000 130 310

-A -t 192.0.2.1:80 -s rr -p 300 -M 255.255.255.0
-a -t 192.0.2.1:80 -r 10.0.0.9:8080 -m -w 2 -x 100 -y 50
-a -t 192.0.2.1:80 -r 192.0.2.9:8080 -m -w 0
-a -t 192.0.2.1:80 -r 100.0.0.9:8080 -m
-A -u 192.0.2.1:53 -s wlc -o
-A -f 4294967295 -s sh -b sh-port,flag-3
-a -f 4294967295 -r 10.0.0.7 -g -x 7
-A -f 4294967295 -6 -s sh -b flag-3
-a -f 4294967295 -6 -r [fd00::5] -m
-A -t [fd00::1]:80 -s wlc -p 20 -M 64
-a -t [fd00::1]:80 -r [fd00::2] -m
-a -t [fd00::1]:80 -r [fd00::3] -i --tun-type gue --tun-port 6080 --tun-csum -x 3
E
try ipvsadm -R rules
ipvsadm --start-daemon master --mcast-interface dummy0 --syncid 3 --mcast-port 8900 --mcast-ttl 2
show >before
cat before

echo '== again'
ipvsadm -S -n >saved
ipvsadm -S >named
ipvsadm -C; ipvsadm --set 1 2 3; ipvsadm -R <saved; same
ipvsadm -C; ipvsadm -R named; same
try ipvsadm -R --replace saved; same

echo '== refused'
cat >bad <<E
--set 5 6 7
-e -t 192.0.2.1:80 -r 10.0.0.9:8080 -m -w 9
-d -t 192.0.2.1:80 -r 192.0.2.9:8080
-a -t 192.0.2.1:80 -r 10.0.0.77:8080 -m
-E -t 192.0.2.1:80 -s wlc
-D -f 4294967295
-A -u 192.0.2.2:53 -s rr
--stop-daemon master
--start-daemon backup --mcast-interface dummy0
-A -t 192.0.2.1:81 -s nosuch
-A -t 192.0.2.1:82 -s rr
E
try ipvsadm -R bad; same
try ipvsadm -R <bad; same
try ipvsadm -R --replace bad; same
{ echo -C; cat saved; echo '-D -t 192.0.2.99:80'; } >cleared
try ipvsadm -R cleared; same
echo '-A -t 192.0.2.1:80' >twice
try ipvsadm -R twice; same

echo '== syntax'
printf -- '-A -t 192.0.2.3:80 -s rr\n-a -t 192.0.2.3:80 -r 10.0\n' >broken
try ipvsadm -R broken; same
try ipvsadm -R --replace broken; same
try ipvsadm -R --check rules; same

echo '== fullnat'
try ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.88:8080 -b
try ipvsadm -e -t 192.0.2.1:80 -r 10.0.0.9:8080 -b
try ipvsadm -P -t 192.0.2.1:80 -z 10.0.0.1
printf -- '-A -t 192.0.2.7:80 -s rr\n-a -t 192.0.2.7:80 -r 10.0.0.2 -b\n' >fullnat
try ipvsadm -R fullnat
try ipvsadm -R --replace fullnat
same

echo '== mixed'
# Servers of another address family and sync daemons exclude each other.
ipvsadm --stop-daemon master
ipvsadm -a -t '[fd00::1]:80' -r 10.1.1.1 -i
show >before
cat >mixed <<E
-d -t [fd00::1]:80 -r 10.1.1.1
--start-daemon master --mcast-interface dummy0
-D -t 192.0.2.99:80
E
try ipvsadm -R mixed; same

echo '== killed'
i=0
while [ $i -lt 300 ]; do
	echo "-A -t 10.3.$(( i / 200 )).$(( i % 200 )):80 -s rr"
	i=$(( i + 1 ))
done >many
echo '-A -t 10.3.0.1:80' >>many
ipvsadm -R many &
restoring=$!
until ipvsadm -L -n | grep -q 10.3.0; do kill -0 $restoring; done
kill -TERM $restoring
wait $restoring && status=0 || status=$?
echo "status $status"; same

echo '== full'
ipvsadm -S -n >/dev/full && status=0 || status=$?
echo "status $status"
