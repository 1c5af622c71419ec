"""The RPMs of a tiny distribution: this host's own rpm and shell, packed as the vault has them.

What CentOS 6 is not available for in a test, the way in which a base is made out of RPMs can:
first root, signatures, the real root with a database made by an rpm of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.el6.vault import build_rpm

PROGRAMS = (
    *("bash", "sh", "cat", "chmod", "chroot", "cp", "find", "grep", "mkdir", "mknod", "printf"),
    *(
        "rm",
        "rpm",
        "sed",
        "sort",
        "tar",
        "touch",
        "uname",
        "useradd",
        "groupadd",
        "rpmdb",
        "rpmkeys",
    ),
)
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "group": "root:x:0:\nmail:x:8:\n",
    "shadow": "root:*:15000:0:99999:7:::\n",
    "gshadow": "root:*::\n",
    "login.defs": "",
}


def libraries(program: Path) -> Iterator[Path]:
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    for found in re.findall(r"(/\S+) \(0x", told):
        yield Path(found)


def take(path: Path, root: Path) -> None:
    """Copy a file of the host to its place below ``root``, where only /usr is real."""
    place = path if path.is_relative_to("/usr") else Path("/usr") / path.relative_to("/")
    target = root / place.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def make(scratch: Path) -> tuple[Path, ...]:
    """The RPMs: filesystem, setup, userland (with rpm), and the tool ``maker``."""
    system, setup, user, maker = (scratch / name for name in ("fs", "setup", "user", "maker"))
    for name in ("dev", "proc", "tmp", "home", "root", "usr/bin", "var/lib/rpm", "usr/lib64"):
        (system / name).mkdir(parents=True)
    for name, aim in LINKS.items():
        (system / name).symlink_to(aim)
    (setup / "etc").mkdir(parents=True)
    for name, text in ACCOUNTS.items():
        (setup / "etc" / name).write_text(text)
    for name in PROGRAMS:
        program = Path(shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or name)
        take(program, user)
        for library in libraries(program):
            take(library, user)
    rpm = user / "usr/lib/rpm"
    rpm.mkdir(parents=True, exist_ok=True)
    # The last one's name has rpm's version in it.
    for name in ("macros", "rpmrc", "rpmpopt-*"):
        for path in Path("/usr/lib/rpm").glob(name):
            shutil.copy(path, rpm)
    (maker / "usr/bin").mkdir(parents=True)
    (maker / "usr/bin/maker").write_text("#!/bin/sh\necho made\n")
    return (
        build_rpm(scratch, "filesystem", system),
        build_rpm(scratch, "setup", setup, {"Requires": "filesystem"}),
        build_rpm(scratch, "userland", user, {"Provides": "rpm", "Requires": "setup"}),
        build_rpm(scratch, "maker", maker, {"Requires": "userland", "Provides": "perl(Maker::Of)"}),
    )
