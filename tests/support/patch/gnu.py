"""The real GNU patch, to hold the builder against: same patch, same tree, what comes out."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

State = dict[str, tuple[bytes, bool]]


@dataclass(frozen=True)
class Answer:
    """``applied``: whether all went in; ``tree``: what there is now; ``text``: all it said."""

    applied: bool
    tree: State
    text: str


def state(tree: Path) -> State:
    """Every file below ``tree``: its bytes, and whether its owner may run it."""
    return {
        str(path.relative_to(tree)): (
            path.read_bytes(),
            bool(path.stat().st_mode & stat.S_IXUSR),
        )
        for path in sorted(tree.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(tree).parts
    }


def apply(
    tree: Path, patch: bytes, scratch: Path, *, fuzz: int = 2, binary: bool = False
) -> Answer:
    """``patch -p1`` in a copy of ``tree`` that is made in ``scratch``."""
    copy = scratch / "gnu"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(tree, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    kept = {name: value for name, value in os.environ.items() if name != "POSIXLY_CORRECT"}
    done = subprocess.run(
        [
            *("patch", "-p1", "--forward", "--batch", "--no-backup-if-mismatch"),
            *("--reject-file=-", f"--fuzz={fuzz}"),
            *(("--binary",) if binary else ()),
        ],
        cwd=copy,
        input=patch,
        capture_output=True,
        env={**kept, "LC_ALL": "C"},
        check=False,
        timeout=60,
    )
    text = (done.stdout + done.stderr).decode(errors="replace")
    return Answer(done.returncode == 0, state(copy), text)
