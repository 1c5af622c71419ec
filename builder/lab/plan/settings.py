"""The settings that a director's package ships, in effect on the lab's directors."""

from __future__ import annotations

from builder.lab.series import Fullnat

# A line is "key = value", with a "-" in front if the kernel may lack the key (sysctl.d(5)).
_CHECK = """\
while IFS= read -r line; do
	key=$(echo "${line%%=*}" | tr -d ' -' | tr . /)
	case $line in '' | '#'* | ';'*) continue ;; esac
	[ -e "/proc/sys/$key" ] || continue
	want=$(echo "${line#*=}" | tr -s ' \t' ' ' | sed 's/^ //;s/ $//')
	have=$(tr -s ' \t' ' ' <"/proc/sys/$key")
	if [ "$have" != "$want" ]; then
		echo "$key is $have; as shipped it is $want"
		exit 1
	fi
done <FILE"""


def check(series: Fullnat) -> tuple[str, ...]:
    """Fails on a director where one of the shipped settings is not in effect, and names it."""
    return (_CHECK.replace("FILE", series.settings),) if series.settings else ()


def shipped(name: str, series: Fullnat) -> str:
    """A word for sh: the value that the package ships for a sysctl, whatever was set since."""
    pattern = name.replace(".", "[.]")
    return f"$(sed -n 's/^-*{pattern} *= *//p' {series.settings})"
