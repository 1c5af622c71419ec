#!/bin/sh
# Runs inside the build container: rpmbuild under the shared job budget.
# Arguments: the spec, then further options of rpmbuild.
set -eu
spec=$1
shift

# GNU make's jobserver: tokens come from a named pipe that all containers share.
exec 8<>/jobs/tokens
case $(make --version) in
"GNU Make 3."* | "GNU Make 4.0"* | "GNU Make 4.1"*) MAKEFLAGS="-j --jobserver-fds=8,8" ;;
*) MAKEFLAGS="-j --jobserver-auth=8,8" ;;
esac
export MAKEFLAGS

# Old kconfigs write the time into a header that everything includes: no two builds would be
# alike, and the compiler cache would find nothing.
export KCONFIG_NOTIMESTAMP=1

# What the component is built with: the files of others' RPMs, below %{needs}/COMPONENT.
for folder in /needs/*/; do
	[ -d "$folder" ] || continue
	root=$HOME/needs/$(basename "$folder")
	mkdir -p "$root"
	for rpm in "$folder"*.rpm; do
		rpm2cpio "$rpm" >"$HOME/needs/rpm.cpio"
		(cd "$root" && cpio -idm --quiet --no-absolute-filenames <"$HOME/needs/rpm.cpio")
	done
	rm "$HOME/needs/rpm.cpio"
done

# Where another package manager put the packages in place, rpm knows none of them.
if ! rpm -q rpm >/dev/null 2>&1; then
	set -- --nodeps "$@"
fi

exec rpmbuild -ba "$@" \
	--define "dist %{nil}" \
	--define "_smp_mflags %{nil}" \
	--define "needs $HOME/needs" \
	--define "_buildhost lvs-builder" \
	--define "use_source_date_epoch_as_buildtime 1" \
	--define "source_date_epoch_from_changelog 1" \
	--define "clamp_mtime_to_source_date_epoch 1" \
	"$spec"
