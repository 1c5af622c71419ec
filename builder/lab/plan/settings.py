"""The settings that a director's package ships, in effect on the lab's directors."""

from __future__ import annotations

from builder.lab.series import Fullnat

# A line is "key = value", with a "-" in front if the kernel may lack the key (sysctl.d(5)).  Only
# cat is started, since an emulated guest takes long for each program; the shell's own read asks
# byte by byte, and such files return only their first byte.
_CHECK = """\
(
set -f
while IFS= read -r line; do
	case $line in '' | '#'* | ';'*) continue ;; esac
	set -- ${line%%=*}
	file=/proc/sys IFS=.
	for part in ${1#-}; do file=$file/$part; done
	unset IFS
	[ -e "$file" ] || continue
	set -- ${line#*=}
	want=$*
	set -- $(cat "$file")
	if [ "$*" != "$want" ]; then
		echo "$file is $*; as shipped it is $want"
		exit 1
	fi
done <FILE
)"""


def check(series: Fullnat) -> tuple[str, ...]:
    """Fails on a director where one of the shipped settings is not in effect, and names it."""
    return (_CHECK.replace("FILE", series.settings),) if series.settings else ()


def shipped(name: str, series: Fullnat) -> str:
    """A word for sh: the value that the package ships for a sysctl, whatever was set since."""
    pattern = name.replace(".", "[.]")
    return f"$(sed -n 's/^-*{pattern} *= *//p' {series.settings})"
