"""The vsyscall page: old C libraries call the kernel through it (glibc before 2.14).

A kernel booted with vsyscall=none, or built so, does not map it, and every program of CentOS 6
ends with SIGSEGV.
"""

from __future__ import annotations

from pathlib import Path

FIX = "boot the host with vsyscall=emulate, or choose another base: --base debian12"


def is_mapped(maps: Path = Path("/proc/self/maps")) -> bool:
    """Whether this host's kernel gives processes the page (proc(5), maps)."""
    return any(
        line.endswith("[vsyscall]")
        for line in maps.read_text(encoding="utf-8", errors="replace").splitlines()
    )
