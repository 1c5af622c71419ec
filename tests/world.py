"""A small world: a project of its own with one tiny component, built by the real pipeline.

The program, the base and the container are the real ones; only the profile is small, so
that mishaps can be tried in seconds.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROFILE = """\
summary = "one tiny tool"
base = "debian12"
default_flavour = "vm"
target = "target.toml"

[changelog]
date = "Mon Nov 23 2026"
author = "A Tester <tester@builder.invalid>"
text = "The first."

[flavour.vm]
summary = "none"
fragments = []

[component.tool]
package = "tool"
version = "1.0"
release = "1"
source = "tool"
packages = ["tool"]

[source.tool]
file = "tool-1.0.tar.gz"
locations = [{ url = "file:tool-1.0.tar.gz" }]
"""

SPEC = """\
%global debug_package %{nil}
Name: {{ component.name }}
Version: {{ component.version }}
Release: {{ component.release }}
Summary: A tiny tool
License: GPL-2.0-or-later
Source0: {{ sources[0] }}
{% for patch in patches %}
Patch{{ loop.index }}: {{ patch }}
{% endfor %}

%description
A tiny tool.

%prep
%setup -q -c -T -n %{name}-%{version}
tar -xf %{SOURCE0} --strip-components=1
%autopatch -p1

%build
rm -rf ../obj && cp -a . ../obj && cd ../obj
make %{?_smp_mflags}

%install
install -D -m 755 ../obj/tool %{buildroot}/usr/bin/tool

%files
/usr/bin/tool

%changelog
* {{ changelog.date }} {{ changelog.author }}
- {{ changelog.text }}
"""

SOURCE = {
    "tool.c": '#include <stdio.h>\nint main(void)\n{\n\tputs("one");\n\treturn 0;\n}\n',
    "Makefile": "tool: tool.c\n\t@echo '  CC      tool.o'\n\tcc -O2 -o tool tool.c\n",
}

PATCH = """\
Subject: say two

--- a/tool.c
+++ b/tool.c
@@ -1,6 +1,6 @@
 #include <stdio.h>
 int main(void)
 {
-\tputs("one");
+\tputs("two");
 \treturn 0;
 }
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    output: str
    errors: str


@dataclass
class World:
    """A project folder and the cache it works with."""

    project: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    program: tuple[str | Path, ...] = (sys.executable, "-m", "invoke")

    @property
    def environment(self) -> dict[str, str]:
        base = {name: value for name, value in os.environ.items() if name != "CI"}
        return {**base, "LVS_BUILDER_CACHE": str(self.cache), **self.env}

    def command(self, *words: str) -> list[str]:
        return [*map(str, self.program), *words]

    def run(self, *words: str, timeout: float = 900) -> Outcome:
        """Run ``invoke WORDS`` in the project."""
        return self.run_words(*self.command(*words), timeout=timeout)

    def run_bytes(self, *words: str | bytes) -> subprocess.CompletedProcess[bytes]:
        """Run ``invoke WORDS`` with words and output that need not be text."""
        return subprocess.run(
            [*self.command(), *words],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=False,
        )

    def run_words(self, *words: str, timeout: float = 900) -> Outcome:
        """Run a program of the host in the project."""
        ended = subprocess.run(
            words,
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start ``invoke WORDS``; its messages come on standard error."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write_source(self, files: Mapping[str, str]) -> None:
        """Make the tool's tarball of ``files``, as if a new one had been released."""
        with tarfile.open(self.project / "tool-1.0.tar.gz", "w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(f"tool-1.0/{name}")
                info.size = len(text)
                info.mtime = 1_700_000_000
                tar.addfile(info, io.BytesIO(text.encode()))
        (self.project / "specs" / "small" / "sources.lock").unlink(missing_ok=True)

    def write_patches(self, **patches: str) -> None:
        """Make the tool's series of ``patches``, each a name and its text."""
        folder = self.project / "patches" / "small" / "tool"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in patches.items():
            (folder / f"{name}.patch").write_text(text)
        (folder / "series").write_text("".join(f"{name}.patch\n" for name in patches))

    def write_spec(self, text: str) -> None:
        (self.project / "specs" / "small" / "tool.spec.j2").write_text(text)

    def rpms(self) -> list[Path]:
        """The binary RPMs of finished builds in the cache."""
        return sorted(self.cache.glob("stages/build-tool/*/output/rpms/*.rpm"))

    def artifacts(self) -> list[str]:
        """All that lies in ``artifacts/``, by path, but for the checkout's locks."""
        home = self.project / "artifacts"
        found = (path.relative_to(home).as_posix() for path in home.rglob("*"))
        return sorted(name for name in found if name.partition("/")[0] != ".locks")

    def leavings(self) -> list[str]:
        """What must not be left when no command runs: scratch folders and containers' mounts.

        Other profiles' failed stages in the shared cache may still be entered (invoke shell).
        """
        left = [str(path) for path in self.cache.glob("scratch/small/*")]
        left += [str(path) for path in self.cache.glob("locks/runs/small/*")]
        for depth in ("", "*/", "*/*/"):
            left += [str(path) for path in self.cache.glob(f"{depth}.*.removed-*")]
        mounts = Path("/proc/mounts").read_text().splitlines()
        return left + [line for line in mounts if str(self.cache) in line]


def copy(folder: Path, target: Path) -> None:
    """Copy a folder of a project, with what Python has compiled of it.

    Compiling takes longer than most tests do.  Times are kept, so that it is still valid.
    """
    unfinished = shutil.ignore_patterns("*.pyc.*")  # another process writes and renames it
    shutil.copytree(folder, target, ignore=unfinished)


def make(project: Path, cache: Path) -> World:
    """A new small project that builds with ``cache``."""
    project.mkdir(parents=True)
    shutil.copy(ROOT / "tasks.py", project)
    for folder in ("builder", "dockerfiles"):
        copy(ROOT / folder, project / folder)
    world = World(project, cache)
    add_profile(world)
    return world


def add_profile(world: World) -> None:
    """Give a project the profile ``small``."""
    home = world.project / "specs" / "small"
    home.mkdir(parents=True)
    (home / "profile.toml").write_text(PROFILE)
    (home / "target.toml").write_text("")
    world.write_spec(SPEC)
    world.write_source(SOURCE)
    world.write_patches(say_two=PATCH)
