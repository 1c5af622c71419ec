# shellcheck shell=sh
# Sourced by the scripts that work on the guest root.  They run as an ordinary user under
# fakechroot and fakeroot, which stand in for root: no privilege is needed.
#
# In the container: /in/root.tar (the guest root), /in/repo (RPMs with repodata), /in/guest
# (folders put into the root), /in/alone (folders of RPMs for the guest alone), /in/provides (lines of Provides), /scratch (scratch), /out (results).

root=/scratch/root
dnf_state=/scratch/dnf
# What EL's "filesystem" and "udev" packages own and Debian's slim root lacks.
system_folders='boot/grub usr/lib/modules usr/lib/firmware etc/sysconfig etc/rpm usr/share/licenses
usr/share/man/man1 usr/share/man/man5 usr/share/man/man8 usr/src/kernels'

# Debian keeps an ordinary user's database in their home; the guest has one for the system.
set_dbpath() {
	echo "%_dbpath /var/lib/rpm" >"$HOME/.rpmmacros"
}

unpack_root() {
	set_dbpath
	mkdir -p "$root"
	# Devices are the running system's business (devtmpfs).
	tar --extract --file=/in/root.tar --directory="$root" --exclude='./dev/*' --numeric-owner
	lead_links
}

# The kernel follows an absolute link to the container's own file, so that a program of the
# guest would be the container's, or missing there.  While we work, such links carry the
# root's place in front, as those do that are made under fakechroot; fix_links undoes it.
lead_links() {
	find "$root" -type l -lname '/*' ! -lname "$root/*" | while read -r link; do
		ln -sfn "$root$(readlink "$link")" "$link"
	done
}

put_guest_files() {
	# The modes in a checkout depend on its owner's umask, but for the executable bit.  Debian's
	# /sbin is a link, and must stay one.
	for folder in /in/guest/*; do
		tar --create --directory="$folder" --mode=u=rwX,go=rX --owner=0 --group=0 . |
			tar --extract --directory="$root" --no-overwrite-dir --keep-directory-symlink
	done
	# kernel-install asks for one; the finished image gets its own at its first boot.
	echo 00000000000000000000000000000001 >"$root/etc/machine-id"
	for folder in $system_folders; do
		mkdir -p "$root/$folder"
	done
	# The boot menu belongs to the guest, its entries to the kernels.
	: >"$root/boot/grub/grub.cfg"
}

# A package that stands for the Debian root in the solver's eyes: it provides what the root's
# libraries and programs offer, read off them, and the names that EL has for the packages they
# come from.  It owns those folders that an RPM of EL takes along if nobody else has them.
make_base_provides() {
	top=/scratch/base-provides
	mkdir -p "$top" /scratch/repo
	{
		# elfdeps also fails for files that are no ELF at all (linker scripts).
		find "$root/usr/lib" -name '*.so*' -type f | /usr/lib/rpm/elfdeps --provides || true
		grep -v '^#' /in/provides | sed '/^$/d'
	} | sort -u >"$top/capabilities"
	{
		cat <<-EOF
			Name: base-provides
			Version: 12
			Release: 1
			Summary: What the Debian root of the guest provides
			License: GPL-2.0-or-later
			BuildArch: noarch
		EOF
		sed 's/^/Provides: /' "$top/capabilities"
		printf '%%description\nStands for the root in the eyes of the solver.\n%%install\n'
		for folder in $system_folders; do printf 'install -d %%{buildroot}/%s\n' "$folder"; done
		printf '%%files\n'
		for folder in $system_folders; do printf '%%dir /%s\n' "$folder"; done
	} >"$top/base-provides.spec"
	rpmbuild --quiet -bb --define "_topdir $top" --define "_buildhost lvs-builder" \
		--define "use_source_date_epoch_as_buildtime 1" \
		--define "clamp_mtime_to_source_date_epoch 1" "$top/base-provides.spec" >/scratch/base-provides.log 2>&1
	cp /in/repo/packages/*.rpm "$top"/RPMS/noarch/*.rpm /scratch/repo/
	[ ! -d /in/alone ] || cp /in/alone/*/*.rpm /scratch/repo/
	createrepo_c --quiet /scratch/repo
}

# dnf with nothing of this host's configuration: one repository, an empty rpm database.
run_dnf() {
	dnf --assumeyes --installroot="$root" --releasever=1 \
		--setopt=reposdir=/nonexistent --setopt=varsdir=/nonexistent --setopt=pluginpath=/nonexistent \
		--setopt=cachedir="$dnf_state" --setopt=logdir="$dnf_state" --setopt=persistdir="$dnf_state" \
		--setopt=install_weak_deps=0 --setopt=module_platform_id=platform:none \
		--setopt=tsflags= --setopt=clean_requirements_on_remove=0 \
		--repofrompath="lvs,file:///scratch/repo" --repo=lvs --nogpgcheck "$@"
}

# What dnf leaves of its own in the root.
forget_dnf() {
	rm -rf "$root/scratch" "$root/etc/dnf" "$root/var/lib/dnf"
}

# The RPMs of the repository and of the guest by name, without source RPMs.
package_names() {
	find /in/repo/packages /in/alone -name '*.rpm' -exec \
		rpm --dbpath /scratch/no-rpmdb --query --package --queryformat '%{name}\n' {} + 2>/dev/null | sort -u
}

# Programs that were run under fakechroot leave absolute links with the root's own place in
# front; in the booted system that place is "/".
fix_links() {
	find "$root" -type l | while read -r link; do
		aim=$(readlink "$link")
		case $aim in
		"$root"/*) ln -sfn "${aim#"$root"}" "$link" ;;
		esac
	done
}
