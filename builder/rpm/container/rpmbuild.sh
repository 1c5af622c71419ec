#!/bin/sh
# Runs inside the build container: rpmbuild on a prepared tree, under the shared job
# budget.  Argument: the spec.  The tree is mounted read-only, so %prep is not run; the
# source RPM still holds all that %prep needs elsewhere.
set -eu

# GNU make's jobserver: tokens come from a named pipe that all containers share.
exec 8<>/jobs/tokens
MAKEFLAGS="-j --jobserver-auth=8,8"
export MAKEFLAGS

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

exec rpmbuild -ba --noprep --noclean \
	--define "dist %{nil}" \
	--define "_smp_mflags %{nil}" \
	--define "needs $HOME/needs" \
	--define "_buildhost lvs-builder" \
	--define "use_source_date_epoch_as_buildtime 1" \
	--define "source_date_epoch_from_changelog 1" \
	--define "clamp_mtime_to_source_date_epoch 1" \
	"$1"
