"""A host's own distribution: stub RPMs in repositories, and a real dnf that installs from them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from builder.rpm import repository
from tests.support.installed.root import Root

# dnf.conf as EL9 has it.
MAIN = """\
[main]
gpgcheck=0
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
metadata_expire=0
"""
SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: A stub
License: GPL-2.0-or-later
BuildArch: noarch
{tags}
%description
A stub.
%install
{made}
{scripts}
%files
{files}
"""


@dataclass(frozen=True)
class Stub:
    """A package of the distribution.  Files hold its version; in /etc they are configuration."""

    name: str
    version: str
    release: str
    files: tuple[str, ...] = ()
    tags: str = ""
    scripts: str = ""

    @property
    def nvr(self) -> str:
        return f"{self.name}-{self.version}-{self.release}"

    def build(self, top: Path) -> Path:
        top.mkdir(parents=True, exist_ok=True)
        made = [
            f"mkdir -p $(dirname %{{buildroot}}{one}); echo {self.nvr} >%{{buildroot}}{one}"
            for one in self.files
        ]
        marked = [f"%config(noreplace) {x}" if x.startswith("/etc") else x for x in self.files]
        spec = top / f"{self.nvr}.spec"
        spec.write_text(
            SPEC.format(
                name=self.name,
                version=self.version,
                release=self.release,
                tags=self.tags,
                made="\n".join(made),
                scripts=self.scripts,
                files="\n".join(marked),
            )
        )
        words = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", str(spec)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return top / "RPMS" / "noarch" / f"{self.nvr}.noarch.rpm"


def stock(name: str, version: str, release: str) -> Stub:
    """A tool as a distribution packs it: program, unit and configuration of the same names."""
    files = (f"/usr/sbin/{name}", f"/usr/lib/systemd/system/{name}.service")
    return Stub(name, version, release, (*files, f"/etc/sysconfig/{name}"))


def rest_of(rpms: tuple[Path, ...]) -> Stub:
    """What else these RPMs need, as one package."""
    words = ["rpm", "-qp", "--nosignature", *map(str, rpms)]
    asked = subprocess.run([*words, "--requires"], capture_output=True, text=True, check=True)
    given = subprocess.run([*words, "--provides"], capture_output=True, text=True, check=True)
    have = {line.split()[0] for line in given.stdout.splitlines()}
    wanted = {line.split()[0] for line in asked.stdout.splitlines()} - have
    wanted = {one for one in wanted if not one.startswith(("rpmlib(", "config("))}
    return Stub("rest", "1", "1", tags="".join(f"Provides: {one}\n" for one in sorted(wanted)))


REPOS = "/etc/yum.repos.d"


@dataclass(frozen=True)
class DnfHost:
    """A root with a dnf of its own: ``dnf_`` in the scripts of ``shell``."""

    root: Root
    place: Path

    def subscribe(self, name: str, rpms: tuple[Path, ...], *, ours: bool = False) -> None:
        """Make a repository of these RPMs and its ``.repo`` file: ours as operators get it.

        One of the same name is replaced, and an hour is over: dnf looks for newer metadata.
        """
        for old in (self.place / name, self.place / "cache"):
            shutil.rmtree(old, ignore_errors=True)
        made = repository.make(self.place / name, "lts", rpms, (), 1_700_000_000)
        text = f"[{name}]\nname={name}\nbaseurl=file:///srv/{repository.REPO_ID}/\n"
        if ours:
            text = (made.root / f"{repository.REPO_ID}.repo").read_text()
        where = f"file:///srv/{repository.REPO_ID}/"
        assert where in text
        repos = self.place / "repos"
        repos.mkdir(exist_ok=True)
        (repos / f"{name}.repo").write_text(text.replace(where, made.root.as_uri()))

    def shell(self, script: str) -> str:
        for name in ("cache", "log"):
            (self.place / name).mkdir(exist_ok=True)
        (self.place / "dnf.conf").write_text(MAIN)
        # Debian's rpm keeps root's own database in their home.
        (self.place / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
        options = [
            *(f"--config={self.place}/dnf.conf", f"--setopt=reposdir={self.place}/repos"),
            *("--setopt=varsdir=/nonexistent", "--setopt=pluginpath=/nonexistent"),
            *(f"--setopt=cachedir={self.place}/cache", f"--setopt=logdir={self.place}/log"),
            *("--releasever=9", "--setopt=module_platform_id=platform:none"),
        ]
        lines = (
            f"export HOME={self.place}",
            f'dnf_() {{ command dnf -y --installroot="$root" {" ".join(options)} "$@"; }}',
            f"repos={self.place}/repos",
            'list() { rpm --root "$root" --dbpath /var/lib/rpm -qa --qf "%{nvr}\\n" | sort; }',
            script,
        )
        return self.root.shell("\n".join(lines))

    def typed(self, manager: str, script: str, options: str = "") -> str:
        """Type an operator's lines of ``manager``, ``rpm`` and the folder of ``.repo`` files.

        They see this host's root, database and repositories in place of the machine's.
        """
        lines = (
            f'{manager}() {{ dnf_ {options} "$@"; }}',
            'rpm() { command rpm --root "$root" --dbpath /var/lib/rpm "$@"; }',
            script.replace(f"{REPOS}/", "$repos/"),
        )
        return self.shell("\n".join(lines))
