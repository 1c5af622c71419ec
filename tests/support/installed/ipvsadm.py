"""ipvsadm of profile lts, compiled on this host from its real source and patches."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.console import Console
from builder.host.paths import Cache
from builder.place import Place
from builder.stages.products import TREE
from builder.stages.request import Request
from builder.stages.session import open_session
from tests import renewal

FLAGS = "-O1 -g -Wall -Werror -DLIBIPVS_USE_NL -I/usr/include/libnl3"
SANITIZED = f"{FLAGS} -fsanitize=address,undefined -fno-sanitize-recover"
LIBRARIES = "LIBS=-lpopt -lnl-genl-3 -lnl-3"
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C"}
"""What it has when it ends need not be freed."""


@dataclass(frozen=True)
class Program:
    """The program, its scripts and manuals are in ``tree``."""

    tree: Path

    @property
    def path(self) -> Path:
        return self.tree / "ipvsadm"

    def run(self, *words: str | Path, text: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run it with ``text`` on standard input, where no kernel with IPVS is reached."""
        return run((self.path, *words), text)

    def check(self, text: bytes) -> subprocess.CompletedProcess[str]:
        """Look at a file with this text; its name is ``rules``, in the tree."""
        (self.tree / "rules").write_bytes(text)
        return run((self.path, "-R", "--check", "rules"), cwd=self.tree)


def run(
    argv: Sequence[str | Path], text: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [str(word) for word in argv],
        input=text,
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **QUIET},
    )
    shown = (ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))
    return subprocess.CompletedProcess(ended.args, ended.returncode, *shown)


def prepare(folder: Path, cache: Path) -> Path:
    """The patched tree, as it is built from; ``folder`` is new."""
    place = Place(renewal.scratch(folder / "project"), Cache(cache), Console())
    with open_session(Request("lts", "vm"), place) as opened:
        done = opened.settle("prep:ipvsadm")["prep:ipvsadm"]
        return Path(shutil.copytree(done.path / TREE, folder / "tree"))


def compile_in(tree: Path, flags: str = FLAGS) -> Program:
    """Build it as the spec does; warnings are errors."""
    for words in (("-C", "libipvs", "libipvs.a"), ("ipvsadm", LIBRARIES)):
        made = run(("make", "-s", *words, f"CFLAGS={flags}"), cwd=tree)
        assert made.returncode == 0, made.stderr
    return Program(tree)
