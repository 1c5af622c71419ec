"""keepalived for the gate's guests, compiled without shared libraries."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from builder.digest import of_text
from builder.errors import BuildError
from builder.host import process
from tests.support.gate import background

# VRRP and health checks; what this host or the guest may not have is left out.
OPTIONS = (
    "ac_cv_lib_magic_magic_open=no",
    *(f"--disable-{part}" for part in ("nftables", "regex", "iptables", "systemd", "hardening")),
    "--with-init=SYSV",
    "--enable-json",
    "CFLAGS=-O1",
    "LDFLAGS=-static",
)
LIBRARIES = "LIBS=-lssl -lcrypto -lpthread"
"""In the order that static libraries need."""


def build(tree: Path, folder: Path, jobs: int = 0) -> Path:
    """Compile the prepared ``tree`` below ``folder``, unless it was; the program's path.

    Raises BuildError.
    """
    home = folder / f"keepalived-{of_text(str(tree))[:8]}"
    program = home / "bin/keepalived"
    if program.exists():
        return program
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(tree, home)
    for path in (home, *home.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    count = jobs or len(os.sched_getaffinity(0))
    configure = (str(home / "configure"), *OPTIONS, LIBRARIES)
    for argv in (configure, ("make", "-s", f"-j{count}", LIBRARIES)):
        environment = {"MAKEFLAGS": "", "LC_ALL": "C"}
        ended = process.run(background.words(argv), cwd=home, env=environment)
        if not ended.ok:
            raise BuildError(
                f"keepalived does not compile: {argv[0]}",
                ended.complaint,
                f"read {home}/config.log",
            )
    return program
