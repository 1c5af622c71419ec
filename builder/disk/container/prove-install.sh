#!/bin/sh
# Proves that the repository can be installed: dnf solves and installs everything into the
# guest root, scriptlets run, rpm finds nothing changed, removal leaves nothing behind.
# Findings go to /out: packages, verify, leftovers, scriptlets (errors), each a text file.
set -eu
# shellcheck source=builder/disk/container/root.sh
. /in/scripts/root.sh

# Path, kind, mode and owner of everything, but what rpm and dnf keep for themselves and the
# accounts that packages make and leave, as EL's guidelines ask.
inventory() {
	(cd "$root" && find . -mindepth 1 -printf '%p %y %m %u:%g\n') |
		grep -vE '^\./(var/lib/rpm|var/lib/dnf|var/cache|var/log|usr/lib/sysimage|proc|sys|dev|run|tmp)(/| )' |
		grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-? ' |
		grep -vE '^\./(etc/\.pwd\.lock|etc/ld\.so\.cache) ' | LC_ALL=C sort
}

unpack_root
put_guest_files
make_base_provides
inventory >/scratch/before

# Names are single words without blanks.
# shellcheck disable=SC2046
run_dnf install $(package_names) >/out/transaction.log 2>&1 || {
	tail -n 40 /out/transaction.log
	exit 3
}
cat /out/transaction.log
rpm --root="$root" --query --all --queryformat '%{nevra}\n' | grep -v '^base-provides-' |
	LC_ALL=C sort >/out/packages
grep -iE 'failed|error|warning: %' /out/transaction.log >/out/scriptlets || true

# What scriptlets made (%ghost) may differ, nothing else: dracut and its like choose the mode.
: >/out/verify
for name in $(package_names); do
	rpm --root="$root" --verify --noghost --nodeps "$name" >>/out/verify 2>&1 || true
done

# shellcheck disable=SC2046
run_dnf remove $(package_names) >/out/removal.log 2>&1 || {
	tail -n 40 /out/removal.log
	exit 4
}
grep -iE 'failed|error|warning: %' /out/removal.log >>/out/scriptlets || true
forget_dnf
inventory >/scratch/after
LC_ALL=C diff /scratch/before /scratch/after | grep '^[<>]' >/out/leftovers || true
