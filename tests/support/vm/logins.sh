# shellcheck shell=sh
# Sourced in an image that a first-boot disk set up: whether that is so.  key is beside it.
here=${0%/*}

within_20_s() { # COMMAND...
	tries=0
	until "$@" >/dev/null 2>&1 || [ "$tries" -ge 100 ]; do
		tries=$((tries + 1))
		sleep 0.2
	done
}

listed() { ipvsadm -L -n | grep -F 203.0.113.10:8080; }

password_is() { # in the shadow file, as crypt(3) sees it
	perl -e '$stored = (getpwnam "root")[1]; exit(crypt($ARGV[0], $stored) ne $stored)' "$1"
}

over_ssh() {
	ssh -n -o BatchMode=yes -o StrictHostKeyChecking=no "$@" root@192.0.2.10 \
		cat /proc/sys/kernel/hostname 2>&1 | tail -n 1
}

within_20_s listed
within_20_s systemctl is-active --quiet ssh.service
install -m 600 "$here/key" /run/key
echo "served: $(listed | grep -c .)"
echo "addresses: $(ip -o address show scope global | awk '{print $4}' | tr '\n' ' ')"
echo "gateway: $(ip route show default)"
echo "crypt: $(password_is 'correct horse' && echo right)"
echo "with key: $(over_ssh -i /run/key)"
echo "without: $(over_ssh)"
echo "login: $(systemctl is-active getty@tty1.service serial-getty@ttyS0.service | tr '\n' ' ')"
