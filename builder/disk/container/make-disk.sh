#!/bin/sh
# Makes the director's disk: the guest root with the RPMs installed by dnf, GRUB in front of
# the only partition, everything with fixed identities and times, so that the same inputs
# give the same bytes.  Results in /out: director.qcow2, vmlinuz, initrd.img, cmdline, packages.
# Environment: SOURCE_DATE_EPOCH, DISK_SIZE_MIB, PACKAGES (what is installed).
set -eu
# shellcheck source=builder/disk/container/root.sh
. /in/scripts/root.sh

first=2048 # sector of the partition; GRUB's core lies in the sectors before it

settle_times() {
	find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference \
		--date="@$SOURCE_DATE_EPOCH" {} +
}

forget_the_moment() {
	forget_dnf
	rm -rf "$root"/var/log/* "$root"/var/cache/* "$root"/tmp/* "$root"/run/* \
		"$root/root/.rpmdb" "$root/etc/passwd-" "$root/etc/group-" "$root/etc/shadow-" \
		"$root/etc/gshadow-" "$root/etc/subuid-" "$root/etc/subgid-" "$root/etc/.pwd.lock" \
		"$root/.autorelabel" "$root/var/lib/systemd/random-seed"
	: >"$root/etc/machine-id"
	# The day of the last password change.
	sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\1:$((SOURCE_DATE_EPOCH / 86400)):/" "$root/etc/shadow"
	settle_rpmdb
}

# One file without journals, in the order in which sqlite would write it anew.
settle_rpmdb() {
	database=$root/var/lib/rpm/rpmdb.sqlite
	[ -f "$database" ] || {
		echo "there is no rpm database in the root"
		exit 3
	}
	python3 -c 'import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("PRAGMA journal_mode = DELETE")
base.execute("VACUUM")' "$database"
	rm -f "$database-shm" "$database-wal" "$root/var/lib/rpm/.rpm.lock"
}

install_everything() {
	unpack_root
	put_guest_files
	make_base_provides
	# shellcheck disable=SC2086 # a list of names
	run_dnf install $PACKAGES >/scratch/transaction.log 2>&1 || {
		tail -n 40 /scratch/transaction.log
		exit 3
	}
	cat /scratch/transaction.log
	finish_root
	rpm --root="$root" --query --all --queryformat '%{nevra}\n' | LC_ALL=C sort >/out/packages
}

# What this guest's own init wants done once everything is installed.
finish_root() {
	finish=/usr/lib/director/finish-root
	[ ! -x "$root$finish" ] || chroot "$root" "$finish"
}

# mke2fs takes owners from fakeroot's eyes; times of change and creation are set afterwards.
make_filesystem() {
	image=$1
	size_mib=$2
	# Old kernels do not mount what mke2fs makes by default.
	own=$root/usr/lib/director/filesystem
	features='^metadata_csum_seed,^orphan_file'
	[ ! -f "$own" ] || features=$features,$(cat "$own")
	truncate --size="${size_mib}M" "$image"
	E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -L director -U "$uuid" \
		-E "hash_seed=$uuid,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0" \
		-O "$features" -m 1 -d "$root" "$image"
	set_inode_times "$image"
	E2FSCK_TIME=$SOURCE_DATE_EPOCH e2fsck -f -y "$image" >/scratch/fsck.log 2>&1 || [ $? -le 1 ] || {
		cat /scratch/fsck.log
		exit 3
	}
}

set_inode_times() {
	stamp=@$(printf '0x%x' "$SOURCE_DATE_EPOCH")
	last=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Inode count: *//p')
	free=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Free inodes: *//p')
	used=$((last - free + 12))
	number=1
	# The first line is about the time of this very writing.
	echo "set_current_time $stamp" >/scratch/times
	while [ "$number" -le "$used" ]; do
		for field in ctime atime crtime; do
			echo "set_inode_field <$number> $field $stamp"
			echo "set_inode_field <$number> ${field}_extra 0"
		done
		echo "set_inode_field <$number> mtime_extra 0"
		number=$((number + 1))
	done >>/scratch/times
	debugfs -w -f /scratch/times "$1" >/scratch/times.log 2>&1
}

# One active partition of type 83 up to the end of the disk; the fields for cylinders and heads
# say "too large for them", as partitioning programs write it.
write_partition_table() {
	python3 -c 'import struct, sys
name, first, mib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", first, mib * 2048 - first)
with open(name, "r+b") as disk:
    disk.seek(440)
    disk.write(struct.pack("<IH", 0x1C5FA110, 0) + entry + bytes(48) + b"\x55\xaa")' \
		"$1" "$first" "$DISK_SIZE_MIB"
}

# GRUB without grub-install, which wants devices: boot.img looks for the next stage in sector
# 1, where the core image says itself how long it is.
make_disk() {
	disk=$1
	filesystem=$2
	cat >/scratch/early.cfg <<-EOF
		search --no-floppy --fs-uuid --set=root $uuid
		set prefix=(\$root)/boot/grub
		configfile (\$root)/boot/grub/grub.cfg
	EOF
	grub-mkimage --format=i386-pc --output=/scratch/core.img --prefix=/boot/grub \
		--config=/scratch/early.cfg \
		biosdisk part_msdos ext2 search search_fs_uuid configfile normal linux echo test serial \
		terminal sleep reboot halt ls cat gzio minicmd
	sectors=$((($(stat --format=%s /scratch/core.img) + 511) / 512))
	[ "$sectors" -lt "$first" ] || {
		echo "GRUB's core is too large: $sectors sectors"
		exit 3
	}
	truncate --size="${DISK_SIZE_MIB}M" "$disk"
	write_partition_table "$disk"
	dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
	dd if=/scratch/core.img of="$disk" bs=512 seek=1 conv=notrunc status=none
	dd if="$filesystem" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
}

install_everything
uuid=$(sed -n 's/^UUID=\([^ ]*\) \/ .*/\1/p' "$root/etc/fstab")
release=$(find "$root/lib/modules" -mindepth 1 -maxdepth 1 -printf "%f\n" | sort -V | tail -n 1)
[ -f "$root/boot/vmlinuz-$release" ] || {
	echo "the kernel's scriptlets put no vmlinuz-$release into /boot"
	ls -l "$root/boot"
	exit 3
}
fix_links
forget_the_moment
settle_times
cp "$root/boot/vmlinuz-$release" /out/vmlinuz
cp "$root/boot/initramfs-$release.img" /out/initrd.img
printf 'root=UUID=%s %s\n' "$uuid" "$(cat "$root/etc/kernel/cmdline")" >/out/cmdline
printf '%s\n' "$release" >/out/release
make_filesystem /scratch/filesystem.img $((DISK_SIZE_MIB - 2))
make_disk /scratch/disk.raw /scratch/filesystem.img
qemu-img convert -m 1 -f raw -O qcow2 -o compat=1.1 /scratch/disk.raw /out/director.qcow2
chmod 644 /out/*
