"""Whether the programs of the host that a build runs are present, and start."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

from builder.doctor.finding import Finding, Status
from builder.errors import EnvironmentFailure
from builder.host import packager, process, tools
from builder.host.tools import Tool

VERSION = re.compile(r"\d+(?:\.\d+)+")
ASK_SECONDS = 20.0
OLDEST_PYTHON = (3, 11)

FenceProbe = Callable[[], str]
"""Starts QEMU with its filter; returns why that fails, an empty text if it does not fail."""


def examine_tools(wanted: tuple[Tool, ...]) -> Iterator[Finding]:
    """One finding for each tool, with its version."""
    for tool in wanted:
        yield _examine(tool)


def _examine(tool: Tool) -> Finding:
    path = tools.find(tool.name)
    fix, command = packager.line([tool]), packager.command(tool)
    if path is None:
        reason = f"it is needed {tool.purpose}"
        return Finding(tool.name, Status.FAILURE, "missing", reason, fix, command)
    if not tool.ask:
        return Finding(tool.name, Status.OK, path)
    try:
        done = process.run([path, *tool.ask], env={"LC_ALL": "C"}, timeout=ASK_SECONDS)
    except EnvironmentFailure as error:
        reason = f"it does not start: {error.cause}"
        return Finding(tool.name, Status.FAILURE, path, reason, fix, command)
    if not done.ok:
        reason = f"it does not work: {done.complaint}"
        return Finding(tool.name, Status.FAILURE, path, reason, fix, command)
    found = VERSION.search(done.text + done.stderr.decode(errors="replace"))
    return Finding(tool.name, Status.OK, f"{found[0] if found else 'version unknown'} ({path})")


def examine_fence(probe: FenceProbe) -> Iterator[Finding]:
    """A finding if guests would run without QEMU's filter of system calls; else none."""
    try:
        reason = probe()
    except EnvironmentFailure:  # QEMU is missing or does not start, which is already reported
        return
    if reason:
        fix = "use a QEMU that was built with libseccomp, as Debian's is, and a kernel with seccomp"
        value = "guests run without a filter of system calls"
        yield Finding("qemu's filter", Status.WARNING, value, reason, fix)


def examine_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """The Python that runs this."""
    value = ".".join(str(part) for part in version)
    if version >= OLDEST_PYTHON:
        return Finding("python", Status.OK, value)
    package = tools.table()["python3"].package
    fix = f"apt-get install {package} (Debian 12 has 3.11), and run the same command again"
    return Finding("python", Status.FAILURE, value, "Python 3.11 or newer is needed", fix)
