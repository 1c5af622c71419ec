"""Revisions of Debian packages: what a mirror has, and which one is newer (deb-version(7))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cmp_to_key

import msgspec

from builder.digest import Digest
from builder.host import process

_EPOCH = re.compile(r"^\d+:")
# What Debian appends to an upstream version that it has repacked.
_REPACKED = re.compile(r"[+~](dfsg|ds|really).*$")
_ORIGINAL = re.compile(r"\.orig\.tar\.[a-z0-9]+$")


class Revision(msgspec.Struct, frozen=True):
    """A version of a package that the mirrors serve.

    ``sha256``: of its upstream tarball, for a source package.
    """

    version: str
    sha256: Digest | None = None

    @property
    def upstream(self) -> str:
        """The version without Debian's revision, with its epoch."""
        return upstream(self.version)


def upstream(version: str) -> str:
    """A version without Debian's revision, with its epoch."""
    return version.rpartition("-")[0] or version


def plain(version: str) -> str:
    """Upstream's own version: without epoch, Debian's revision and its marks of repacking."""
    return _REPACKED.sub("", _EPOCH.sub("", upstream(version)))


def of_packages(shown: str, name: str) -> tuple[Revision, ...]:
    """The revisions in what ``apt-cache madison`` shows of a binary package, the newest first."""
    rows = [[word.strip() for word in line.split("|")] for line in shown.splitlines()]
    return _sorted(
        Revision(row[1])
        for row in rows
        if len(row) == 3 and row[0] == name and row[2].endswith("Packages")
    )


def of_sources(shown: str) -> tuple[Revision, ...]:
    """The revisions in what ``apt-cache showsrc`` shows of a source package, the newest first."""
    return _sorted(_of_stanzas(shown))


def _of_stanzas(shown: str) -> Iterator[Revision]:
    for stanza in re.split(r"\n\s*\n", shown):
        version = re.search(r"^Version: (\S+)$", stanza, re.MULTILINE)
        sums = re.search(r"^Checksums-Sha256:\s*\n((?: .*(?:\n|\Z))+)", stanza, re.MULTILINE)
        if version is None:
            continue
        files = [line.split() for line in (sums[1] if sums else "").splitlines()]
        digests = [row[0] for row in files if len(row) == 3 and _ORIGINAL.search(row[2])]
        yield Revision(version[1], Digest(digests[0]) if digests else None)


def _sorted(found: Iterable[Revision]) -> tuple[Revision, ...]:
    apart = {one.version: one for one in found}
    return tuple(sorted(apart.values(), key=cmp_to_key(_compare), reverse=True))


def _compare(one: Revision, other: Revision) -> int:
    return 1 if is_newer(one.version, other.version) else -1


def is_newer(version: str, other: str) -> bool:
    """Whether dpkg considers a version newer than another."""
    return process.run(["dpkg", "--compare-versions", version, "gt", other]).ok
