"""Programs of the host that stages run, as a table."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from builder.doctor.finding import Finding, Status
from builder.errors import EnvironmentFailure
from builder.host import process

SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
VERSION = re.compile(r"\d+(?:\.\d+)+")
ASK_SECONDS = 20.0
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Tool:
    """``ask``: the options that make it tell its version; ``needed``: no build without it."""

    name: str
    package: str
    purpose: str
    needed: bool = True
    ask: tuple[str, ...] = ("--version",)


TOOLS = (
    Tool("mmdebstrap", "mmdebstrap", "makes the build base from Debian packages"),
    Tool("apt-get", "apt", "fetches sources and packages"),
    Tool("dpkg-deb", "dpkg", "opens Debian packages"),
    Tool("patch", "patch", "applies patch series"),
    Tool("xz", "xz-utils", "opens source archives"),
    Tool("zstd", "zstd", "compresses layers and modules"),
    Tool("qemu-img", "qemu-utils", "makes the VM image"),
    Tool("qemu-system-x86_64", "qemu-system-x86", "boots the VM image"),
    Tool("git", "git", "is used by the tests", needed=False),
)
# Beyond those, by the method in which the base is made.
BY_METHOD = {
    "yum": (
        Tool("dnf", "dnf", "finds out which RPMs the base needs"),
        Tool("rpmkeys", "rpm", "verifies the RPMs of the base"),
        Tool("cpio", "cpio", "opens the first RPMs of the base"),
    )
}


def tools_for(method: str) -> tuple[Tool, ...]:
    """The tools that builds in a base of this method take."""
    return (*TOOLS, *BY_METHOD.get(method, ()))


def examine_tools(tools: tuple[Tool, ...] = TOOLS) -> Iterator[Finding]:
    """One finding for each tool, with its version."""
    for tool in tools:
        yield _examine(tool)


def _examine(tool: Tool) -> Finding:
    path = find(tool.name)
    mend = f"apt-get install {tool.package}"
    fix = ("apt-get", "install", "-y", tool.package)
    bad = Status.FAILURE if tool.needed else Status.WARNING
    if path is None:
        return Finding(tool.name, bad, "missing", f"it {tool.purpose}", mend, fix)
    try:
        done = process.run([path, *tool.ask], env={"LC_ALL": "C"}, timeout=ASK_SECONDS)
    except EnvironmentFailure as error:
        return Finding(tool.name, bad, path, f"it does not start: {error.cause}", mend, fix)
    if not done.ok:
        return Finding(tool.name, bad, path, f"it does not work: {done.complaint}", mend, fix)
    found = VERSION.search(done.text + done.stderr.decode(errors="replace"))
    return Finding(tool.name, Status.OK, f"{found[0] if found else 'version unknown'} ({path})")


def find(name: str) -> str | None:
    """Where a program is: on PATH or in the system's folders."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def examine_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """The Python that runs this."""
    value = ".".join(str(part) for part in version)
    if version >= OLDEST_PYTHON:
        return Finding("python", Status.OK, value)
    mend = "apt-get install python3 (Debian 12 has 3.11), remove .venv, run ./bootstrap again"
    return Finding("python", Status.FAILURE, value, "the builder needs 3.11 or newer", mend)
