"""A program in a network of its own, where no name server answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_SCRIPT = (
    'ip link set lo up && mount --bind "$1/resolv.conf" /etc/resolv.conf && exec "$2" -c "$3" "$1"'
)


def run_nameless(program: str, folder: Path) -> str:
    """What a Python program writes; ``folder`` is its argument, and gets ``resolv.conf``."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    space = ["unshare", "--mount", "--net"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    ended = subprocess.run(
        [*space, "sh", "-c", _SCRIPT, "sh", folder, sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
