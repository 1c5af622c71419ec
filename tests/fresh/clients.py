"""What the package clients of this machine are configured with, found out by asking them.

Nothing is known here of registries, proxies or mirrors: apt-config(8) and ``pip config``
name the files, and the files name further ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.errors import EnvironmentFailure
from builder.host import process
from builder.source.aptconf import host_sources
from tests.fresh.plan import SUITES, Clients, Suite
from tests.support.pip import ready

_VARIABLES = re.compile(r"PIP_\w+|(https?|ftp|all|no)_proxy|SSL_CERT_FILE", re.IGNORECASE)
_FILE = re.compile(r"^\s+(/.*), exists: True$", re.MULTILINE)
_VALUE = re.compile(r"^\s+(?:PIP_\w+|[\w.:-]+)[=:] *'?(.*?)'?$", re.MULTILINE)
_KEYRING = re.compile(r"^Signed-By:\s*(/\S.*)$", re.MULTILINE | re.IGNORECASE)
_NOT_FETCHING = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::cdrom")
# The name resolution of the network that the machine shares.
NETWORK = ("/etc/resolv.conf", "/etc/hosts")


def clients(suite: Suite) -> Clients:
    """The configuration for a machine of ``suite``.

    Raises EnvironmentFailure if this machine's apt has no sources of Debian.
    """
    sources = debian_sources(host_sources(), suite)
    options = tuple(_apt_options())
    pip_files, pip_values = pip_configuration()
    named = local_paths([*options, *pip_values, *_environment().values()])
    files = [*NETWORK, *_keyrings(sources), *_apt_files(), *pip_files, *filter(Path.is_file, named)]
    folders = [_tree_of(path) for path in named if path.is_dir()]
    return Clients(
        sources=sources,
        options=options,
        files=tuple(dict.fromkeys(str(path) for path in files)),
        folders=tuple(dict.fromkeys(str(path) for path in folders)),
        environment=_environment(),
    )


def debian_sources(text: str, suite: Suite) -> str:
    """The stanzas that are of a release of Debian, for ``suite`` in its place."""
    found = []
    for stanza in text.replace("Types: deb deb-src", "Types: deb").split("\n\n"):
        match = re.search(r"^Suites:\s*(.*)$", stanza, re.MULTILINE | re.IGNORECASE)
        release = r"(" + "|".join(SUITES) + r")(-updates|-security)?"
        if match and all(re.fullmatch(release, word) for word in match[1].split()):
            suites = re.sub(release, rf"{suite}\2", match[1])
            found.append(stanza.replace(match[0], f"Suites: {suites}").strip())
    if not found:
        raise EnvironmentFailure(
            "this machine's apt knows no sources of Debian",
            f"no entry below /etc/apt has one of the suites {', '.join(SUITES)}",
            "add Debian's to /etc/apt/sources.list.d",
        )
    return "\n\n".join(found) + "\n"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name)}


def _apt_options() -> Iterator[str]:
    """How apt is told to fetch: proxies, certificates, dates; not what it fetches."""
    asked = process.run(
        ["apt-config", "dump", "--no-empty", "--format", '%F "%v"%n', "Acquire"],
        env={"LC_ALL": "C"},
    )
    for line in asked.text.splitlines():
        if not line.startswith(_NOT_FETCHING):
            yield line


def _keyrings(sources: str) -> list[Path]:
    words = " ".join(_KEYRING.findall(sources)).split()
    return [Path(word) for word in words if Path(word).is_file()]


def _apt_files() -> Iterator[Path]:
    """Keys and passwords of the registries: apt-secure(8), apt_auth.conf(5)."""
    asked = process.run(
        [
            *("apt-config", "shell", "KEYS", "Dir::Etc::trustedparts/d"),
            *("PASSWORDS", "Dir::Etc::netrcparts/d", "PASSWORD", "Dir::Etc::netrc/f"),
        ]
    )
    for named in re.findall(r"^\w+='([^']*)'$", asked.text, re.MULTILINE):
        path = Path(named)
        yield from sorted(path.iterdir()) if path.is_dir() else filter(Path.is_file, [path])


def pip_configuration() -> tuple[list[Path], list[str]]:
    """The files that pip reads here, and every value of theirs and of the environment."""
    with ready() as pip:
        asked = process.run([*pip, "config", "debug"])
    if not asked.ok:
        raise EnvironmentFailure("pip does not say how it is configured", asked.complaint, "")
    return [Path(word) for word in _FILE.findall(asked.text)], _VALUE.findall(asked.text)


def local_paths(values: Iterable[str]) -> list[Path]:
    """Existing files and folders of this machine that configuration values name."""
    found = []
    for word in " ".join(values).replace('"', " ").replace(";", " ").split():
        url = urlsplit(word)
        text = unquote(url.path) if url.scheme == "file" else word
        # One name is not an index: apt's paths such as /media are its own, not a registry's.
        if text.startswith("/") and len(Path(text).parts) > 2 and Path(text).exists():
            found.append(Path(text))
    return list(dict.fromkeys(found))


def _tree_of(folder: Path) -> Path:
    """The folder to show: pages of an index (PEP 503) may name files that lie beside it."""
    return folder.parent if folder.name == "simple" else folder
