"""Sources from Debian packages, through the host's own apt client.

apt finds the mirror, the proxy and the keys as on every Debian machine, and checks the
signatures; we only lend it state of our own (see ``aptconf``).
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

from builder.host import process
from builder.host.lock import hold
from builder.host.space import full_disk, tells_full
from builder.host.tools import find
from builder.shown import answer
from builder.source import aptconf, revision
from builder.source.limit import Limit, LocationFailed
from builder.source.revision import Revision

if TYPE_CHECKING:
    from builder.console import Console, Progress

FRESH = 86400.0  # seconds for which the private lists are used unchanged
_JUST_NOW = 60.0  # seconds; another look at the mirror would tell nothing new
_POLL = 0.2  # seconds
_URI = re.compile(r"^'([^']+)' (\S+) (\d+) ", re.MULTILINE)
_NAME = re.compile(r"^[a-z0-9][a-z0-9+.:-]*(=[A-Za-z0-9.+~:-]+)?$")
_ORIGINAL = re.compile(r"\.orig\.tar\.[a-z0-9]+$")
_NATIVE = re.compile(r"_[^_]*\.tar\.[a-z0-9]+$")
_SHOWN_LINES = 20
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True)
class Package:
    """What to ask apt for: a binary package, or a source package's upstream tarball."""

    name: str
    version: str | None
    from_source: bool

    @property
    def asked(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


@dataclass(frozen=True)
class AptFile:
    """A downloaded file and the package version (with epoch) that it belongs to."""

    path: Path
    version: str


@dataclass(frozen=True)
class _Offer:
    """What apt would download: file name, size in bytes, package version."""

    file: str
    size: int
    version: str


def verifies() -> bool:
    """Whether the host's apt demands a signature of every archive; sources.list(5)."""
    trusted = re.search(r"^(Trusted|Allow-Insecure):\s*yes", aptconf.host_sources(), re.M | re.I)
    return trusted is None


def parse(url: str, pinned: str | None) -> Package:
    """The package of an ``apt:`` or ``apt-source:`` URL; its own version wins over ``pinned``."""
    scheme, _, asked = url.partition(":")
    if not _NAME.match(asked):
        raise LocationFailed(f"{asked!r} is not a package name")
    name, _, version = asked.partition("=")
    return Package(name, version or pinned, scheme == "apt-source")


@dataclass(frozen=True)
class Apt:
    """The host's apt client with its state below ``root``, for one fetch within ``limit``.

    ``scratch``: the folder that this fetch downloads to, on the cache's disk.
    """

    root: Path
    locks: Path
    scratch: Path
    console: Console
    limit: Limit

    def download(self, package: Package, max_bytes: int, *, renew: bool) -> AptFile:
        """Download what ``package`` names; ``renew``: look at the mirror's lists first.

        Raises LocationFailed with apt's own words, EnvironmentFailure if the disk is full.
        """
        self._require_client()
        self._refresh(_JUST_NOW if renew else FRESH)
        offer = self._find(package)
        if offer.size > max_bytes:
            raise LocationFailed(
                f"{offer.file} has {offer.size} bytes, more than the limit of {max_bytes} bytes"
            )
        return AptFile(self._get(package, offer), offer.version)

    def revisions(self, package: Package, *, renew: bool) -> tuple[Revision, ...]:
        """The revisions of a package on the mirrors, newest first; empty if they do not know it.

        The lists are updated if they do not have the version in ``package``.
        """
        self._require_client()
        self._refresh(_JUST_NOW if renew else FRESH)
        found = self._revisions(package)
        if package.version not in (None, *(one.version for one in found)) and self._refresh(
            _JUST_NOW
        ):
            found = self._revisions(package)
        return found

    def _revisions(self, package: Package) -> tuple[Revision, ...]:
        if package.from_source:
            asked = ("showsrc", "--only-source", package.name)
            return revision.of_sources(self._run("apt-cache", *asked, failing=True))
        shown = self._run("apt-cache", "madison", package.name, failing=True)
        return revision.of_packages(shown, package.name)

    def _require_client(self) -> None:
        if find("apt-get") is None:
            raise LocationFailed("this host has no apt client")

    def _find(self, package: Package) -> _Offer:
        try:
            return self._offer(package)
        except LocationFailed:
            if not self._refresh(_JUST_NOW):
                raise
            return self._offer(package)

    def _refresh(self, age: float) -> bool:
        """Update the lists if older than ``age`` seconds; returns whether that was done."""
        stamp = self.root / "refreshed"
        with hold(self.locks / "apt-lists.lock", "apt lists", self.console, stop=self.limit.stop):
            sources = aptconf.host_sources()
            if not sources:
                raise LocationFailed("this host has no apt sources")
            if _is_fresh(stamp, age, sources):
                return False
            aptconf.write_configuration(self.root, sources)
            self.console.say("apt: refreshing the builder's own package lists")
            words = self._run("apt-get", "update", "-q")
            # A mirror that fails is a warning to apt if old lists are left; ask again then.
            if "Failed to fetch" not in words:
                stamp.write_text(sources, encoding="utf-8")
            return True

    def _offer(self, package: Package) -> _Offer:
        if package.from_source:
            return self._source_offer(package)
        files = self._uris("apt-get", "download", "--print-uris", package.asked)
        for file, size in files:
            return _Offer(file, size, unquote(file.split("_")[1]))
        raise LocationFailed(f"apt knows no file for {package.asked}")

    def _source_offer(self, package: Package) -> _Offer:
        files = self._uris(*self._source_command(package), "--print-uris")
        originals = [found for found in files if _ORIGINAL.search(found[0])] or [
            found for found in files if _NATIVE.search(found[0]) and ".debian." not in found[0]
        ]
        if not originals:
            raise LocationFailed(f"{package.name} has no upstream tarball")
        file, size = originals[0]
        described = next(name for name, _ in files if name.endswith(".dsc"))
        return _Offer(file, size, self._source_version(package, described))

    def _source_version(self, package: Package, described: str) -> str:
        """The full version, whose epoch no file name has, of the .dsc named ``described``."""
        shown = self._run("apt-cache", "showsrc", "--only-source", package.name)
        for stanza in shown.split("\n\n"):
            version = re.search(r"^Version: (\S+)$", stanza, re.MULTILINE)
            if version and described in stanza:
                return version[1]
        raise LocationFailed(f"apt tells no version for {described}")

    def _source_command(self, package: Package) -> tuple[str, ...]:
        return ("apt-get", "source", "--only-source", "--download-only", package.asked)

    def _get(self, package: Package, offer: _Offer) -> Path:
        folder = self.scratch
        folder.mkdir(parents=True, exist_ok=True)
        command = (
            (*self._source_command(package), "--tar-only")
            if package.from_source
            else ("apt-get", "download", package.asked)
        )
        with self.console.progress(offer.file, offer.size, "B") as progress:
            self._run(*command, folder=folder, progress=progress, needed=offer.size)
        path = folder / offer.file
        if not path.is_file():
            raise LocationFailed(f"apt succeeded, but left no {offer.file}")
        return path

    def _uris(self, *command: str) -> list[tuple[str, int]]:
        return [(name, int(size)) for _, name, size in _URI.findall(self._run(*command))]

    def _run(
        self,
        tool: str,
        *words: str,
        folder: Path | None = None,
        progress: Progress | None = None,
        needed: int | None = None,
        failing: bool = False,
    ) -> str:
        """Run apt under our configuration; returns its output.

        ``failing``: returns an empty text if it fails.
        """
        argv = [tool, "-c", str(self.root / aptconf.FILE), *words]
        here = folder or self.root
        said = here / f"{tool}-{threading.get_ident()}.out"
        with (
            said.open("w+b") as output,
            process.start(
                argv, stdout=output, stderr=subprocess.STDOUT, cwd=here, env=_ENVIRONMENT
            ) as program,
        ):
            said.unlink()  # it has no name any more, so nothing is left of it after a kill
            while program.poll() is None:
                self.limit.check()
                if progress is not None and folder is not None:
                    progress.advance(max(0, _weigh(folder) - progress.done))
                time.sleep(_POLL if folder else 0.01)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if program.returncode != 0 and failing:
            return ""
        if program.returncode != 0:
            _fail(text, here, needed)
        return text


def _fail(text: str, folder: Path, needed: int | None) -> NoReturn:
    if tells_full(text):
        raise full_disk("apt cannot download", folder, needed)
    complaints = [line for line in text.splitlines() if line.startswith(("E:", "Err:"))]
    told = complaints or text.strip().splitlines() or ["apt failed without a message"]
    raise LocationFailed("\n".join(answer(line) for line in told[:_SHOWN_LINES]))


def _is_fresh(stamp: Path, age: float, sources: str) -> bool:
    try:
        written = stamp.stat().st_mtime
        return time.time() - written < age and stamp.read_text(encoding="utf-8") == sources
    except FileNotFoundError:
        return False


def _weigh(folder: Path) -> int:
    """Bytes of the files below ``folder``, which change while we look."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
