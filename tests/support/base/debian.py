"""A tiny Debian of this host's own programs, on a mirror of its own: a base of it takes seconds.

The mirror is a signed one over HTTP with the usual folders (Debian's RepositoryFormat), so that
apt and mmdebstrap do what they do with a large one.
"""

from __future__ import annotations

import email.utils
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from builder.host.serving import served
from tests.support.base.userland import ACCOUNTS, LINKS, libraries, take
from tests.support.el6.signing import Key

SUITE, ARCH = "bookworm", "amd64"
PROGRAMS = (
    *("sh", "bash", "cat", "chmod", "chown", "chroot", "cp", "diff", "env", "find", "grep", "id"),
    *("ln", "ls", "mkdir", "mv", "printf", "rm", "rmdir", "sed", "sort", "tar", "touch", "true"),
    *("dpkg", "dpkg-deb", "dpkg-divert", "dpkg-query", "dpkg-split", "dpkg-statoverride"),
    *("dpkg-trigger", "ldconfig", "start-stop-daemon", "useradd", "groupadd", "chage"),
)
ESSENTIAL = {"Essential": "yes", "Priority": "required"}


def build(scratch: Path, name: str, version: str, content: Path, **tags: str) -> Path:
    """A .deb of the files in ``content``."""
    tree = scratch / "debs" / f"{name}_{version}"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(content, tree, symlinks=True)
    (tree / "DEBIAN").mkdir()
    fields = {"Package": name, "Version": version, "Architecture": ARCH, **tags}
    fields |= {"Maintainer": "A Tester <tester@builder.invalid>", "Description": "a test"}
    control = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (tree / "DEBIAN/control").write_text(control)
    deb = tree.with_name(f"{name}_{version}_{ARCH}.deb")
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(tree), str(deb)]
    # Two that are built of the same files are the same, whenever that is (dpkg-deb(1)).
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1000000000"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return deb


def tool(scratch: Path, version: str, text: str = "") -> Path:
    """The small package that comes in several versions; ``text`` makes other bytes of one."""
    content = scratch / "tool"
    (content / "usr/share").mkdir(parents=True, exist_ok=True)
    (content / "usr/share/tool").write_text(f"{version} {text}")
    return build(scratch, "tool", version, content)


def userland(scratch: Path) -> Path:
    """All that mmdebstrap runs in a root, as one essential package."""
    root = scratch / "userland"
    folders = ("tmp", "root", "home", "proc", "sys", "usr/lib64", "var/lib/dpkg", "usr/bin", "etc")
    for name in (*folders, "dev", "var/log", "var/cache", "usr/share", "var/lib/apt/lists"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, aim in LINKS.items():
        (root / name).symlink_to(aim)
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert found is not None, name
        take(Path(found), root)
        for library in libraries(Path(found)):
            take(library, root)
    shutil.copytree("/usr/share/dpkg", root / "usr/share/dpkg")
    for name, text in ACCOUNTS.items():
        (root / "etc" / name).write_text(text)
    return build(scratch, "userland", "1", root, **ESSENTIAL)


class _Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *words: Any, mirror: Mirror, **named: Any) -> None:
        self._mirror = mirror
        super().__init__(*words, directory=str(mirror.root), **named)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def send_head(self) -> Any:
        self._mirror.asked.append(self.path)
        return super().send_head()


@dataclass
class Mirror:
    """``root``: the folder that is served.  ``asked``: the paths that were asked for."""

    root: Path
    key: Key
    url: str = ""
    asked: list[str] = field(default_factory=list)
    valid_until: str = ""

    @property
    def keyring(self) -> Path:
        return self.root.parent / f"{self.root.name}-key.asc"

    @property
    def entry(self) -> str:
        """For apt's sources (sources.list(5))."""
        return f"deb [signed-by={self.keyring}] {self.url} {SUITE} main"

    @property
    def stanza(self) -> str:
        """The same in deb822 form."""
        fields = f"URIs: {self.url}\nSuites: {SUITE}\nComponents: main\n"
        return f"Types: deb\n{fields}Signed-By: {self.keyring}\n"

    def serve_debs(self, *debs: Path) -> None:
        """Have these packages, and no others."""
        shutil.rmtree(self.root / "pool", ignore_errors=True)
        (self.root / "pool").mkdir()
        for deb in debs:
            shutil.copy(deb, self.root / "pool")
        self._publish()

    def _publish(self) -> None:
        listed = subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "pool"],
            cwd=self.root,
            capture_output=True,
            check=True,
        ).stdout
        dists = self.root / "dists" / SUITE
        packages = dists / "main" / f"binary-{ARCH}" / "Packages"
        packages.parent.mkdir(parents=True, exist_ok=True)
        packages.write_bytes(listed)
        digest = hashlib.sha256(listed).hexdigest()
        name = packages.relative_to(dists)
        now = email.utils.formatdate(packages.stat().st_mtime, usegmt=True)
        moments = f"Date: {now.replace('GMT', 'UTC')}\n{self.valid_until}"
        release = dists / "Release"
        release.write_text(
            f"Suite: {SUITE}\nCodename: {SUITE}\n{moments}"
            f"Architectures: {ARCH}\nComponents: main\n"
            f"SHA256:\n {digest} {len(listed)} {name}\n"
        )
        self.key.clearsign(release, dists / "InRelease")
        self.keyring.write_text(self.key.public)


@contextmanager
def serve(root: Path, key: Key) -> Iterator[Mirror]:
    """A mirror of nothing yet, served until the block ends."""
    root.mkdir(parents=True)
    mirror = Mirror(root, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, mirror=mirror))
    server.daemon_threads = True
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    with served(server, 0.02):
        yield mirror
