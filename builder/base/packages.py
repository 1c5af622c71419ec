"""The packages of a base's root, each with its version, architecture and digest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from builder import digest
from builder.archive import rpm
from builder.digest import Digest
from builder.errors import BuildError, VerificationError

_FIELD = re.compile(r"^(Package|Version|Architecture|Status|SHA256): *(.*?) *$")
_SHOWN = 6
_HINT = "take another mirror: its package lists do not belong to its packages"
Build = tuple[str, str, str]
"""Name, version and architecture of a package."""


class BasePackage(msgspec.Struct, frozen=True, order=True):
    """One installed package.  ``sha256``: of the .deb or .rpm as it came."""

    name: str
    version: str
    arch: str
    sha256: Digest

    @property
    def label(self) -> str:
        """``libc6:amd64``: what a root has once."""
        return f"{self.name}:{self.arch}"


def encode(packages: Iterable[BasePackage]) -> bytes:
    """The packages as JSON, one a line."""
    lines = (digest.encode_short(package).decode() for package in sorted(packages))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def decode(data: bytes) -> tuple[BasePackage, ...]:
    """What ``encode`` wrote.  Raises msgspec.DecodeError."""
    return digest.decode(data, tuple[BasePackage, ...])


def of_debian(status: str, lists: Iterable[str]) -> tuple[BasePackage, ...]:
    """The installed packages of dpkg's ``status`` file, sorted.

    ``lists``: the lines of apt's package lists (deb-control(5)), in the order of its sources;
    apt has verified each .deb against them.  Raises BuildError for a package without a SHA-256
    there.
    """
    wanted = {
        _build(stanza)
        for stanza in _stanzas(status.splitlines())
        if stanza.get("Status") == "install ok installed"
    }
    known: dict[Build, str] = {}
    for stanza in _stanzas(lists):
        if "SHA256" in stanza and (build := _build(stanza)) in wanted:
            known.setdefault(build, stanza["SHA256"])
    return _with_digests(wanted, known)


def of_rpms(installed: Iterable[str], paths: Iterable[Path]) -> tuple[BasePackage, ...]:
    """The packages ``installed`` (``name=version-release.arch``, as rpm lists them), sorted.

    ``paths``: the files that they were installed from.  Raises BuildError for a package that
    came from none of them.
    """
    known: dict[Build, str] = {}
    epochs: dict[Build, str] = {}
    for path in paths:
        header = rpm.read(path).header
        version, release = header.text(rpm.VERSION), header.text(rpm.RELEASE)
        build = (header.text(rpm.NAME), f"{version}-{release}", header.text(rpm.ARCH))
        epoch = header.number(rpm.EPOCH)
        known[build] = digest.of_file(path)
        epochs[build] = f"{epoch}:" if epoch is not None else ""
    wanted = {_split(word) for word in installed}
    return tuple(
        sorted(
            msgspec.structs.replace(one, version=epochs[_key(one)] + one.version)
            for one in _with_digests(wanted, known)
        )
    )


def _key(package: BasePackage) -> Build:
    return package.name, package.version, package.arch


def _split(word: str) -> Build:
    name, _, rest = word.partition("=")
    version, _, arch = rest.rpartition(".")
    return name, version, arch


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The fields of each stanza; a blank line ends one."""
    fields: dict[str, str] = {}
    for line in lines:
        if found := _FIELD.match(line):
            fields[found[1]] = found[2]
        elif fields and not line.strip():
            yield fields
            fields = {}
    if fields:
        yield fields


def _build(stanza: Mapping[str, str]) -> Build:
    return stanza.get("Package", ""), stanza.get("Version", ""), stanza.get("Architecture", "")


def _with_digests(wanted: Iterable[Build], known: Mapping[Build, str]) -> tuple[BasePackage, ...]:
    found, unknown = [], []
    for name, version, arch in sorted(wanted):
        sha256 = known.get((name, version, arch))
        if sha256 is None:
            unknown.append(f"{name}:{arch} {version}")
        else:
            found.append((name, version, arch, sha256))
    if unknown:
        more = f", and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise BuildError(
            f"the digests of {len(unknown)} installed packages are not known",
            f"{', '.join(unknown[:_SHOWN])}{more}",
            _HINT,
        )
    try:
        return tuple(BasePackage(*one[:3], Digest(one[3])) for one in found)
    except ValueError as error:
        raise VerificationError("a package list has a wrong digest", str(error), _HINT) from error
