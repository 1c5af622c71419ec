#!/bin/sh
# Runs as root in a container of the first root: its rpm makes the real root, whose database
# is then of its own format.
#
# In the container: /in/rpms (all RPMs, verified before), /in/keys, /in/uname (a program, for
# kind "build"), /in/vault.repo, /out (results).  KIND, HOST, EPOCH and UNAME come as environment.
set -eu

root=/target
rpm="rpm --root $root --dbpath /var/lib/rpm"

mkdir -p "$root/dev" "$root/proc" "$root/var/lib/rpm"
# What scriptlets may want to have before the package that brings it is installed.
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9

$rpm --initdb
for key in /in/keys/*; do
	$rpm --import "$key"
done
# Readers of documentation have it elsewhere; the guest, which is passed on, keeps the licences.
docs=
[ "$KIND" = guest ] || docs=--excludedocs
$rpm --install $docs /in/rpms/*.rpm
# On an overlay a database may have been read under one inode and written under another.
$rpm --rebuilddb

if [ "$KIND" = build ]; then
	chroot "$root" groupadd --gid 1000 builder
	chroot "$root" useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash builder
	# The folder is open to all, because an ordinary caller's user id is not the builder's.
	chmod 0777 "$root/home/builder"
	# The day of the last password change is the day of the build otherwise.
	sed -i 's/^\(builder:[^:]*\):[^:]*:/\1::/' "$root/etc/shadow"
	mkdir -p "$root/usr/local/bin" "$root/etc/lvs-builder"
	cp /in/uname "$root/usr/local/bin/uname"
	chmod 0755 "$root/usr/local/bin/uname"
	echo "$UNAME" >"$root/etc/lvs-builder/uname"
fi

# Everything that comes from this host or from the moment.
mkdir -p "$root/etc/sysconfig" "$root/etc/yum.repos.d"
printf 'NETWORKING=yes\nHOSTNAME=%s\n' "$HOST" >"$root/etc/sysconfig/network"
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$HOST" >"$root/etc/hosts"
rm -f "$root"/etc/yum.repos.d/*.repo "$root"/var/lib/rpm/__db.* "$root/etc/resolv.conf"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/passwd-" "$root/etc/group-" "$root/etc/shadow-" "$root/etc/gshadow-"
cp /in/vault.repo "$root/etc/yum.repos.d/vault.repo"
for folder in var/log var/cache var/lib/yum tmp var/tmp; do
	[ ! -d "$root/$folder" ] || find "$root/$folder" -type f -exec rm -f {} +
done
# Devices are the running system's business.
rm -rf "${root:?}/dev"
mkdir "$root/dev"

$rpm --query --all --queryformat '%{name}=%{version}-%{release}.%{arch}\n' |
	grep -v '^gpg-pubkey=' | sort >/out/packages
rm -f "$root"/var/lib/rpm/__db.*

touch -d "@$EPOCH" /out/epoch
find "$root" -newer /out/epoch -exec touch -h -d "@$EPOCH" {} +
rm /out/epoch
tar --create --file=/out/root.tar --directory="$root" --numeric-owner .
