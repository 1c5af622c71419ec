"""A web server in the vault's shape, and small RPMs to put into it."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from builder.host.serving import served

REPOSITORIES = ("os", "updates", "extras")
RELEASE = "6.10"

SPEC = """\
Name: {name}
Version: 1
Release: 1
Summary: {name}
License: GPL-2.0-or-later
AutoReqProv: no
{tags}
%description
{name}.

%install
cp -a {content}/. %{{buildroot}}/

%files -f {content}.list
"""


@dataclass
class Vault:
    """The served folder, its address, and the paths that were asked for."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def repository(self, name: str) -> Path:
        return self.folder / RELEASE / name / "x86_64"

    def publish(self) -> None:
        """Write the metadata of all repositories anew."""
        for name in REPOSITORIES:
            folder = self.repository(name)
            (folder / "Packages").mkdir(parents=True, exist_ok=True)
            # As they were then: gzip, and tables of files by path.
            subprocess.run(["createrepo_c", "--quiet", "--no-database", folder], check=True)

    def add(self, repository: str, *rpms: Path) -> None:
        """Put RPMs into a repository; ``publish`` makes them known."""
        target = self.repository(repository) / "Packages"
        target.mkdir(parents=True, exist_ok=True)
        for rpm in rpms:
            shutil.copy(rpm, target)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *words: Any, vault: Vault, **named: Any) -> None:
        self._vault = vault
        super().__init__(*words, directory=str(vault.folder), **named)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def send_head(self) -> Any:
        self._vault.asked.append(self.path)
        return super().send_head()


@contextmanager
def serve(folder: Path) -> Iterator[Vault]:
    """Serve ``folder`` on a port of its own until the block ends."""
    vault = Vault(folder)
    folder.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, vault=vault))
    server.daemon_threads = True
    vault.url = f"http://127.0.0.1:{server.server_address[1]}"
    with served(server, 0.02):
        yield vault


def build_rpm(
    scratch: Path, name: str, content: Path, tags: Mapping[str, str] | None = None
) -> Path:
    """An RPM of the files in ``content``; ``tags``: further ones of its preamble."""
    listed = []
    for path in sorted(content.rglob("*")):
        folder = path.is_dir() and not path.is_symlink()
        if not folder or not any(path.iterdir()):
            listed.append(f"{'%dir ' if folder else ''}/{path.relative_to(content)}\n")
    Path(f"{content}.list").write_text("".join(listed))
    lines = "".join(f"{tag}: {value}\n" for tag, value in (tags or {}).items())
    spec = scratch / f"{name}.spec"
    spec.write_text(SPEC.format(name=name, tags=lines, content=content))
    argv = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {scratch}/rpmbuild"]
    argv += ["--define", "_binary_payload w1.gzdio", "--define", "__os_install_post %{nil}"]
    argv += ["--define", "_build_id_links none", "--define", "debug_package %{nil}"]
    argv += ["--define", "__check_files %{nil}"]
    subprocess.run([*argv, str(spec)], check=True, capture_output=True)
    (rpm,) = (scratch / "rpmbuild" / "RPMS").rglob(f"{name}-1-1.*.rpm")
    return rpm
