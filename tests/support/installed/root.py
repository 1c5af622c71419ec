"""A root that rpm installs into: this machine's own shell and programs, and empty otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = (
    *("sh", "cat", "sed", "sort", "grep", "id", "chown", "chmod", "rm", "mv", "stat", "xargs"),
    *("getent", "groupadd", "useradd", "usermod", "setpriv", "systemctl", "systemd-tmpfiles"),
    *("sysctl", "flock", "mkdir", "rmdir", "tr", "readlink", "cp", "sync", "mountpoint"),
)
SYSCTL = "/usr/lib/systemd/systemd-sysctl"
FILES = {
    # This machine's kernel may have no modules at all.
    "usr/sbin/modprobe": "#!/bin/sh\nexit 0\n",
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\n",
    "etc/login.defs": "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\n",
}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="rpm changes roots and owners")


@dataclass(frozen=True)
class Root:
    """``path`` is its folder."""

    path: Path

    def shell(self, script: str) -> str:
        """Run ``script`` beside the root, which is ``$root`` and the folder it starts in.

        It has a network of its own, with nothing in it but what it makes, and an own
        /proc in the root; both are gone with it.  ``rpm_`` installs into the root, ``in_``
        runs a program there.
        """
        lines = (
            "set -eu",
            'for name in proc dev; do mount --rbind /$name "$root/$name"; done',
            'rpm_() { rpm --root "$root" --dbpath /var/lib/rpm --nodeps --nosignature "$@"; }',
            'in_() { chroot "$root" "$@"; }',
            script,
        )
        ended = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", "\n".join(lines)],
            env={"root": str(self.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def write(self, place: str, text: str, mode: int = 0o644) -> None:
        path = self.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


def _libraries(program: str) -> set[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+) \(0x", listed))


def copy_program(program: str) -> str:
    """Lines for ``shell`` that copy one more program of this machine into the root."""
    files = (program, *sorted(_libraries(program)))
    return "\n".join(f"mkdir -p ./$(dirname {one}); cp -L {one} .{one}" for one in files)


def make(path: Path) -> Root:
    """A root with a shell, the programs that scriptlets call, and the database of accounts."""
    path.chmod(0o755)
    for folder in (
        "usr/bin",
        "usr/sbin",
        "usr/lib/systemd",
        "usr/lib64",
        "proc",
        "dev",
        "run",
        "tmp",
    ):
        (path / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    found = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in PROGRAMS]
    programs = [name for name in (*found, SYSCTL) if name is not None and Path(name).exists()]
    for file in sorted({*programs, *(lib for name in programs for lib in _libraries(name))}):
        target = path / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    root = Root(path)
    for name, text in FILES.items():
        root.write(name, text, 0o755 if text.startswith("#!") else 0o644)
    return root
