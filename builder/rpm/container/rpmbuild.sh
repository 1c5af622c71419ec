#!/bin/sh
# Runs inside the build container: rpmbuild under the shared job budget.
# Arguments: the spec, then further options of rpmbuild.
set -eu
spec=$1
shift
# The folder that the container's mounts lie in: / in a container.
root=${0%/usr/local/bin/*}

# GNU make's jobserver: tokens come from a named pipe that all containers share.
exec 8<>"$root/jobs/tokens"
case $(make --version) in
"GNU Make 3."* | "GNU Make 4.0"* | "GNU Make 4.1"*) MAKEFLAGS="-j --jobserver-fds=8,8" ;;
*) MAKEFLAGS="-j --jobserver-auth=8,8" ;;
esac
export MAKEFLAGS

# Old kconfigs write the time into a header that everything includes: no two builds would be
# alike, and the compiler cache would find nothing.
export KCONFIG_NOTIMESTAMP=1

# A Makefile that asks for -MMD gets a list without the system's headers, so that the compiler cache
# would not know of a change in these.
if [ -d "$root/usr/include" ]; then
	(cd "$root/usr/include" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum) >"$HOME/headers"
	CCACHE_EXTRAFILES=$HOME/headers
	export CCACHE_EXTRAFILES
fi

# The moment of the build is that of the newest change, in every program that asks: rpm 4.8 does not
# say it to compilers and Makefiles, and no rpm to configure scripts that ask date(1).
newest=$(LC_ALL=C sed -n '/^%changelog/,$ s/^\* *[A-Z][a-z]* *\([A-Z][a-z]* *[0-9]* *[0-9]\{4\}\).*/\1/p' "$spec" | head -n 1)
if [ -n "$newest" ]; then
	SOURCE_DATE_EPOCH=$(LC_ALL=C date -u -d "$newest" +%s)
	export SOURCE_DATE_EPOCH
fi

# Nor does a program get the name of who built it, or where.
mkdir -p "$HOME/fixed"
fixed() { # NAME: a program of this name for the build, from standard input
	cat >"$HOME/fixed/$1"
	chmod 0755 "$HOME/fixed/$1"
}
fixed date <<'END'
#!/bin/sh
# Who names a moment (-d and the like) gets that one.
for word in "$@"; do
	case $word in
	-[dfrs]* | -u[dfrs]* | --date* | --file* | --reference* | --set*) exec /bin/date "$@" ;;
	esac
done
exec /bin/date -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"} "$@"
END
printf '#!/bin/sh\necho builder\n' | fixed whoami
fixed id <<'END'
#!/bin/sh
# The number is as it is, and the name that it may have on this machine is not told.
case "$*" in
-un | -nu | "-u -n" | "-n -u") echo builder ;;
*) exec /usr/bin/id "$@" ;;
esac
END
printf '#!/bin/sh\necho lvs-builder\n' | fixed hostname
printf '#!/bin/sh\n' | fixed domainname
printf '#!/bin/sh\n' | fixed dnsdomainname
PATH=$HOME/fixed:$PATH USER=builder LOGNAME=builder
export PATH USER LOGNAME

# What the component is built with: the files of others' RPMs, below %{needs}/COMPONENT.
for folder in "$root"/needs/*/; do
	[ -d "$folder" ] || continue
	root=$HOME/needs/$(basename "$folder")
	mkdir -p "$root"
	for rpm in "$folder"*.rpm; do
		rpm2cpio "$rpm" >"$HOME/needs/rpm.cpio"
		(cd "$root" && cpio -idm --quiet --no-absolute-filenames <"$HOME/needs/rpm.cpio")
	done
	rm "$HOME/needs/rpm.cpio"
done

# distcc speaks TCP, and the only way out of the container is a Unix socket.
if [ -n "${RELAY_SOCKET:-}" ]; then
	mkdir -p "$DISTCC_DIR"
	socat "TCP-LISTEN:$RELAY_PORT,bind=127.0.0.1,reuseaddr,fork,backlog=128" "UNIX-CONNECT:$RELAY_SOCKET" &
fi

# Where another package manager put the packages in place, rpm knows none of them.
if ! rpm -q rpm >/dev/null 2>&1; then
	set -- --nodeps "$@"
fi

# How much of the processors all of this has taken, by the kernel's own count for this container:
# after %build, which compiles, and at the end.
cat >"$HOME/count" <<'END'
for file in /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpuacct/cpuacct.usage; do
	[ ! -r "$file" ] || head -n 1 "$file" >"$HOME/$1" || :
done
END

status=0
rpmbuild -ba "$@" \
	--define "__spec_build_post sh $HOME/count processors-make; %{___build_post}" \
	--define "dist %{nil}" \
	--define "_smp_mflags %{nil}" \
	--define "needs $HOME/needs" \
	--define "_buildhost lvs-builder" \
	--define "use_source_date_epoch_as_buildtime 1" \
	--define "source_date_epoch_from_changelog 1" \
	--define "clamp_mtime_to_source_date_epoch 1" \
	"$spec" || status=$?
sh "$HOME/count" processors-all
exit "$status"
