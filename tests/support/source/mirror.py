"""A Debian mirror of a few packages on this machine, which a test's apt asks instead of the host's.

A flat repository (sources.list(5)) over HTTP, so that revisions can come and go as on a real one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builder.host.serving import served

_BEGUN = 1_700_000_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@dataclass
class Mirror:
    """``root``: the folder that is served.  ``configuration``: for the variable APT_CONFIG."""

    root: Path
    port: int = 0
    debs: dict[str, str] = field(default_factory=dict)  # stanzas by file name
    sources: dict[str, str] = field(default_factory=dict)
    _editions: int = 0

    @property
    def configuration(self) -> Path:
        return self.root.parent / "apt-test.conf"

    def add_deb(self, name: str, version: str, files: dict[str, bytes]) -> None:
        """Serve a revision of a binary package that has these files."""
        tree = self.root.parent / "deb" / f"{name}-{version}"
        for path, data in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: A Tester <tester@builder.invalid>\nDescription: a test\n"
        )
        (tree / "DEBIAN/control").write_text(control)
        file = f"{name}_{version.partition(':')[2] or version}_all.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(tree)]
        subprocess.run([*command, str(self.root / file)], check=True, capture_output=True)
        data = (self.root / file).read_bytes()
        self.debs[f"{name}={version}"] = (
            f"{control}Filename: ./{file}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        self._publish()

    def add_source(self, name: str, version: str, original: bytes) -> None:
        """Serve a revision of a source package with that upstream tarball."""
        upstream = version.rpartition("-")[0]
        files = {
            f"{name}_{upstream}.orig.tar.gz": original,
            f"{name}_{version}.debian.tar.xz": b"debian",
            f"{name}_{version}.dsc": f"Source: {name}\nVersion: {version}\n".encode(),
        }
        sums = []
        for file, data in files.items():
            (self.root / file).write_bytes(data)
            sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {file}\n")
        self.sources[f"{name}={version}"] = (
            f"Package: {name}\nFormat: 3.0 (quilt)\nBinary: {name}\nArchitecture: any\n"
            f"Version: {version}\nDirectory: .\nChecksums-Sha256:\n{''.join(sums)}"
        )
        self._publish()

    def withdraw(self, name: str, version: str) -> None:
        """Stop serving a revision, as a mirror does when the next one has come."""
        self.debs.pop(f"{name}={version}", None)
        self.sources.pop(f"{name}={version}", None)
        self._publish()

    def _publish(self) -> None:
        self._editions += 1
        for name, stanzas in (("Packages", self.debs), ("Sources", self.sources)):
            (self.root / name).write_text("\n".join(stanzas.values()))
            # HTTP's dates have seconds: two editions of one second would be the same to apt.
            now = _BEGUN + 2 * self._editions
            os.utime(self.root / name, (now, now))


@contextmanager
def serve(folder: Path) -> Iterator[Mirror]:
    """A mirror of nothing yet, served until the block ends."""
    root = folder / "mirror"
    root.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    mirror = Mirror(root, server.server_port)
    line = f"deb [trusted=yes] http://127.0.0.1:{server.server_port}/ ./\n"
    (folder / "apt-test.list").write_text(line)
    (folder / "no-parts").mkdir()
    mirror.configuration.write_text(
        f'Dir::Etc::sourcelist "{folder}/apt-test.list";\n'
        f'Dir::Etc::sourceparts "{folder}/no-parts";\n'
    )
    mirror._publish()
    with served(server):
        yield mirror
