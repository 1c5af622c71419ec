"""The command that installs tools with this host's package manager.

Debian's packages are named in the table of tools.  On Fedora, EL and their relatives dnf finds the
package itself, by the path of its program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builder.host.tools import Tool

# Values of ID and ID_LIKE in os-release(5).
_DNF_FAMILY = {"fedora", "rhel", "centos"}


def release() -> Mapping[str, str]:
    """What os-release(5) says of this host; nothing if there is no such file."""
    import platform  # noqa: PLC0415 - only a failure pays for it

    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def foreign(told: Mapping[str, str] | None = None) -> str | None:
    """The name of a system that installs packages with dnf; None for every other one.

    ``told``: the contents of os-release (default: this host's).
    """
    found = release() if told is None else told
    names = {found.get("ID", ""), *found.get("ID_LIKE", "").split()}
    return found.get("PRETTY_NAME", "an RPM system") if names & _DNF_FAMILY else None


def line(lacking: Iterable[Tool], told: Mapping[str, str] | None = None) -> str:
    """The command line for a user to paste."""
    if foreign(told):
        paths = dict.fromkeys(_dnf_pattern(tool) for tool in lacking)
        return f"dnf install {' '.join(repr(path) for path in paths)}"
    return f"apt-get install {' '.join(dict.fromkeys(tool.package for tool in lacking))}"


def command(tool: Tool) -> tuple[str, ...] | None:
    """The command that `doctor --fix` runs; None where nobody has tried it."""
    return None if foreign() else ("apt-get", "install", "-y", tool.package)


def _dnf_pattern(tool: Tool) -> str:
    if tool.module:
        return f"*/{tool.name}/__init__.py"
    return tool.name if "/" in tool.name else f"/usr/*bin/{tool.name}"
