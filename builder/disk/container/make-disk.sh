#!/bin/sh
# Makes the director's disk: the guest root with the RPMs installed by dnf, GRUB for BIOS in front
# of the partitions and for UEFI in the first one, everything with fixed identities and times, so
# that the same inputs give the same bytes.
# Results in /out: director.qcow2, vmlinuz, initrd.img, cmdline, packages.
# Environment: SOURCE_DATE_EPOCH, DISK_SIZE_MIB, PACKAGES (what is installed).
set -eu
# shellcheck source=builder/disk/container/root.sh
. /in/scripts/root.sh

gap=1 # MiB before the first partition, in which GRUB's core lies
esp=8 # MiB of the partition for UEFI; the root has the rest
# What GRUB can do with either firmware.
grub_modules='part_msdos ext2 search search_fs_uuid configfile normal linux echo test serial
terminal sleep reboot halt ls cat gzio minicmd'

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

# Types EF and, active, 83 up to the end of the disk, where it can grow; the fields for cylinders
# and heads say "too large for them", as partitioning programs write it.
write_partition_table() {
	python3 -c 'import struct, sys
name, (gap, esp, disk) = sys.argv[1], map(int, sys.argv[2:])
def entry(flag, kind, first, end):
    far = b"\xfe\xff\xff"
    return struct.pack("<B3sB3sII", flag, far, kind, far, first * 2048, (end - first) * 2048)
table = entry(0, 0xEF, gap, gap + esp) + entry(0x80, 0x83, gap + esp, disk)
with open(name, "r+b") as file:
    file.seek(440)
    file.write(struct.pack("<IH", 0x1C5FA110, 0) + table + bytes(32) + b"\x55\xaa")' \
		"$1" "$gap" "$esp" "$DISK_SIZE_MIB"
}

# GRUB without grub-install, which wants devices.
write_grub_settings() {
	cat >/scratch/early.cfg <<-EOF
		search --no-floppy --fs-uuid --set=root $uuid
		set prefix=(\$root)/boot/grub
		configfile (\$root)/boot/grub/grub.cfg
	EOF
}

# boot.img looks for the next stage in sector 1, where the core image says itself how long it is.
install_grub_for_bios() {
	# shellcheck disable=SC2086 # a list of names
	grub-mkimage --format=i386-pc --output=/scratch/core.img --prefix=/boot/grub \
		--config=/scratch/early.cfg biosdisk $grub_modules
	sectors=$((($(stat --format=%s /scratch/core.img) + 511) / 512))
	[ "$sectors" -lt $((gap * 2048)) ] || {
		echo "GRUB's core is too large: $sectors sectors"
		exit 3
	}
	dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=440 count=1 conv=notrunc status=none
	dd if=/scratch/core.img of="$1" bs=512 seek=1 conv=notrunc status=none
}

# Under the name that firmware looks for on a disk it has no entry of (UEFI, 3.5.1.1).
install_grub_for_uefi() {
	# shellcheck disable=SC2086 # a list of names
	grub-mkimage --format=x86_64-efi --output=/scratch/BOOTX64.EFI --prefix=/boot/grub \
		--config=/scratch/early.cfg fat efi_gop $grub_modules
	touch --date="@$SOURCE_DATE_EPOCH" /scratch/BOOTX64.EFI
	truncate --size="${esp}M" /scratch/esp.img
	mkfs.vfat --invariant -F 16 -s 1 -n ESP /scratch/esp.img >/dev/null
	MTOOLS_SKIP_CHECK=1 mmd -i /scratch/esp.img ::/EFI ::/EFI/BOOT
	mcopy -m -i /scratch/esp.img /scratch/BOOTX64.EFI ::/EFI/BOOT/
	dd if=/scratch/esp.img of="$1" bs=1M seek="$gap" conv=notrunc,sparse status=none
}

make_disk() {
	disk=$1
	filesystem=$2
	truncate --size="${DISK_SIZE_MIB}M" "$disk"
	write_partition_table "$disk"
	write_grub_settings
	install_grub_for_bios "$disk"
	install_grub_for_uefi "$disk"
	dd if="$filesystem" of="$disk" bs=1M seek=$((gap + esp)) conv=notrunc,sparse status=none
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
make_filesystem /scratch/filesystem.img $((DISK_SIZE_MIB - gap - esp - 1))
make_disk /scratch/disk.raw /scratch/filesystem.img
qemu-img convert -m 1 -f raw -O qcow2 -o compat=1.1 /scratch/disk.raw /out/director.qcow2
chmod 644 /out/*
