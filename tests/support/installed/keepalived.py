"""keepalived of profile lts, compiled on this host from its real source and patches."""

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

# What only some directors need is left out; so is what this host may not have.
OPTIONS = (
    "ac_cv_lib_magic_magic_open=no",
    *(f"--disable-{part}" for part in ("vrrp", "nftables", "regex", "iptables", "systemd")),
    "--disable-hardening",
    "--with-init=SYSV",
)
SANITIZED = "CFLAGS=-O0 -g -fsanitize=address,undefined -fno-sanitize-recover"
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C", "MAKEFLAGS": ""}
"""What it has when it ends need not be freed."""


@dataclass(frozen=True)
class Program:
    """The program in ``tree``, where it was built."""

    tree: Path

    def test(self, text: str) -> subprocess.CompletedProcess[str]:
        """``--config-test`` of a file with this text; what is wrong is in ``stderr``."""
        (self.tree / "conf").write_text(text)
        program = str(self.tree / "bin/keepalived")
        return run((program, "--config-test", "--use-file", "conf"), self.tree)


def run(argv: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **QUIET},
    )


def build(folder: Path, cache: Path) -> Program:
    """Compile the patched tree, with checks of memory, in the new folder ``folder``."""
    place = Place(renewal.scratch(folder / "project"), Cache(cache), Console())
    with open_session(Request("lts", "vm"), place) as opened:
        done = opened.settle("prep:keepalived")["prep:keepalived"]
        tree = Path(shutil.copytree(done.path / TREE, folder / "tree"))
    jobs = len(os.sched_getaffinity(0))
    for argv in (("./configure", *OPTIONS, SANITIZED), ("make", "-s", f"-j{jobs}")):
        made = run(argv, tree)
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    return Program(tree)
