"""docker.io's daemon is installed without being started: by the real invoke-rc.d.

In a mount namespace of its own, with this host's /etc and /usr/sbin under a writable layer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("invoke-rc.d") is None,
    reason="needs Debian's init-system-helpers, and root for mounts of its own",
)
# A service with a daemon's name, whose start leaves a file; no policy but what bootstrap makes.
LAYERS = """
for folder in /etc /usr/sbin; do
	upper=$1/upper$folder
	mkdir -p "$upper" "$1/work$folder"
	mount -t overlay none -o "lowerdir=$folder,upperdir=$upper,workdir=$1/work$folder" $folder
done
rm -f /usr/sbin/policy-rc.d
printf '#!/bin/sh\\n[ "$1" != start ] || touch "%s/started"\\n' "$1" >/etc/init.d/containerd
chmod +x /etc/init.d/containerd
shift
exec "$@"
"""
INSTALL = """
import os, signal, subprocess, sys
from builder.setup import packages
with packages._idle_daemons():
    assert packages.POLICY.is_file()
    subprocess.run(["invoke-rc.d", "containerd", "start"], check=True)
    if sys.argv[1:] == ["killed"]:
        os.kill(os.getpid(), signal.SIGKILL)
"""
AFTERWARDS = (
    'ls /usr/sbin/policy-rc.d; [ ! -e "$0/started" ] && echo idle; invoke-rc.d containerd start'
)


def install(folder: Path, *words: str) -> tuple[str, bool]:
    """What is seen after an installation: the policy's file and "idle" if nothing started; and
    whether a start by hand then did.
    """
    layers = folder / "layers"
    layers.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(layers)], check=True)
    try:
        inner = '"$1" -c "$2" $3; shift 3; exec "$@"'
        argv = [
            *("unshare", "--mount", "sh", "-euc", LAYERS, "sh", str(layers)),
            *("sh", "-c", inner, "sh", sys.executable, INSTALL, " ".join(words)),
            *("sh", "-c", AFTERWARDS, str(layers)),
        ]
        told = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        started = (layers / "started").exists()
    finally:
        subprocess.run(["umount", str(layers)], check=True)
    assert "denied execution of start" in told.stderr
    return told.stdout, started


def test_a_daemon_is_not_started_while_it_is_installed(tmp_path: Path) -> None:
    """And what forbade it is gone."""
    seen, _ = install(tmp_path)
    assert seen == "idle\n"


def test_a_kill_leaves_no_policy_that_forbids(tmp_path: Path) -> None:
    assert install(tmp_path, "killed") == ("/usr/sbin/policy-rc.d\nidle\n", True)
