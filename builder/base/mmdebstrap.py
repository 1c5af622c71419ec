"""The mmdebstrap command that makes a base."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.base import snapshot
from builder.base.method import Patience
from builder.base.model import Base, Kind, Mmdebstrap
from builder.errors import EnvironmentFailure
from builder.shown import without_secrets
from builder.source.aptconf import host_sources

HOSTNAME = "lvs-builder"
# On every Debian, the keys of its own and of earlier releases (debian-archive-keyring).
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATIENCE = "98patience"
# Files that a bootstrap leaves in its scratch folder for us to read.
STATUS, AVAILABLE = "status", "available"
# apt's package lists (its doc/acquire-additional-files.md): the fields that identify a package.
_LISTS = (
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get indextargets '
    "--format '$(FILENAME)' 'Created-By: Packages' | tr '\\n' '\\0' | "
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" xargs -0 -r /usr/lib/apt/apt-helper cat-file | '
    "grep -E '^(Package|Version|Architecture|SHA256):|^$' >"
)
_SUITE = re.compile(r"^[a-z]+$")  # of a release, not of its updates

# People read documentation elsewhere; licences must stay.
_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)

_APT = (
    'APT::Install-Recommends "false"',
    'Acquire::Languages "none"',
    'Acquire::Retries "3"',
    # The target may be below a home that apt's own user cannot enter.
    'APT::Sandbox::User "root"',
)

# Removes everything that depends on this host or on the time: names, addresses, logs, ids.
_NEUTRAL = (
    f'echo {HOSTNAME} > "$1/etc/hostname"',
    f'printf "127.0.0.1 localhost {HOSTNAME}\\n::1 localhost\\n" > "$1/etc/hosts"',
    'rm -f "$1/etc/resolv.conf" "$1/etc/machine-id" "$1/var/lib/dbus/machine-id"',
    ': > "$1/etc/machine-id"',
    # Two machines must not share a host key.
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'rm -rf "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/* "$1/var/cache/ldconfig"',
    'find "$1/var/log" -type f -delete',
    'find "$1/var/cache" "$1/var/lib/apt/lists" -type f -delete',
)

# The home folder is open to all, because an ordinary caller's user id is not the builder's.
_USER = (
    'chroot "$1" groupadd --gid 1000 builder',
    'chroot "$1" useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash builder',
    'chmod 0777 "$1/home/builder"',
    # Otherwise the day of the last password change is the day of the build.
    'chroot "$1" chage --lastday 0 builder && chroot "$1" chage --lastday -1 builder',
    'rm -f "$1/etc/passwd-" "$1/etc/group-" "$1/etc/shadow-" "$1/etc/gshadow-"',
    'rm -f "$1/etc/subuid-" "$1/etc/subgid-"',
)


def debian(base: Base) -> Mmdebstrap:
    """The settings of a base of this method."""
    if not isinstance(base.settings, Mmdebstrap):
        raise TypeError(f"{base.settings.name} is not a base of Debian packages")
    return base.settings


def apt_sources(base: Base) -> str:
    """The snapshot's apt sources, or the host's sources for the base's suite, in deb822 form.

    Other repositories of the host are left out.  Raises EnvironmentFailure if the host has no
    source for that suite, as Debian 13 has none for Debian 12.  The error has the command that
    adds one (sources.list(5)), with the mirror of the host's own suite.
    """
    if base.settings.snapshot:
        return snapshot.apt_sources(base.settings.snapshot)
    stanzas = host_sources().replace("Types: deb deb-src", "Types: deb").split("\n\n")
    fitting = [stanza.strip() for stanza in stanzas if _fits(stanza, base)]
    if not fitting:
        raise _unknown(debian(base), _mirror(stanzas))
    return "\n\n".join(fitting) + "\n"


def _unknown(settings: Mmdebstrap, mirror: str) -> EnvironmentFailure:
    suite, components = settings.suite, " ".join(settings.components)
    entry = f"deb [signed-by={KEYRING}] {mirror} {suite} {components}"
    hint = f"echo {shlex.quote(entry)} | sudo tee /etc/apt/sources.list.d/{suite}.list"
    return EnvironmentFailure(
        f"this host's apt knows no sources of Debian {suite}",
        f"no entry below /etc/apt has suite {suite} with {components}",
        hint if mirror else "add an entry with a mirror of Debian (sources.list(5))",
    )


def _fits(stanza: str, base: Base) -> bool:
    settings = debian(base)
    ours = snapshot.suites(settings.suite)
    suites = _field(stanza, "Suites")
    components = _field(stanza, "Components")
    return bool(suites) and suites <= ours and set(settings.components) <= components


def _mirror(stanzas: Iterable[str]) -> str:
    """The host's mirror of complete suites; empty if it has none."""
    for stanza in stanzas:
        uris = sorted(_field(stanza, "URIs"))
        whole = any(_SUITE.match(suite) for suite in _field(stanza, "Suites"))
        if uris and whole and "main" in _field(stanza, "Components"):
            return without_secrets(uris[0])
    return ""


def _field(stanza: str, name: str) -> set[str]:
    match = re.search(rf"^{name}:(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE | re.IGNORECASE)
    return set(match[1].split()) if match else set()


def command(
    base: Base, kind: Kind, program: str, target: Path, scratch: Path, *, patience: Patience
) -> list[str]:
    """The mmdebstrap command line; mmdebstrap reads the apt sources from standard input.

    It leaves its data about packages in the folder ``scratch``.
    """
    settings = debian(base)
    return [
        program,
        # An ordinary user is root in a user namespace, see ``process.start``.
        "--mode=root",
        f"--variant={settings.variant}",
        "--format=tar",
        f"--include={','.join(base.packages(kind))}",
        *(f"--aptopt={option}" for option in _APT),
        # An interrupted base is made again, so nothing needs to be synced to the disk.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt={option}" for option in _LEFT_OUT),
        *_hooks(kind, scratch, patience),
        settings.suite,
        str(target),
        "-",
    ]


def _hooks(kind: Kind, scratch: Path, patience: Patience) -> Iterator[str]:
    # Not with --aptopt, because its settings stay in the root.
    lines = [f'Acquire::{way}::Timeout "{patience.stalled}";' for way in ("http", "https", "ftp")]
    file = f'"$1/etc/apt/apt.conf.d/{_PATIENCE}"'
    yield f"--setup-hook=printf '%s\\n' {shlex.join(lines)} > {file}"
    yield f"--customize-hook=rm {file}"
    yield f"--customize-hook={_LISTS} {shlex.quote(str(scratch / AVAILABLE))}"
    steps = (*_USER, *_NEUTRAL) if kind == "build" else _NEUTRAL
    for step in steps:
        yield f"--customize-hook={step}"
    yield f"--customize-hook=download /var/lib/dpkg/status {scratch / STATUS}"
