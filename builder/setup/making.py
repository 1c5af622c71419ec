"""Making a Python environment of exactly what a lock names."""

from __future__ import annotations

import ast
import contextlib
import errno
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from builder.errors import EnvironmentFailure
from builder.host import process, removal
from builder.host.space import is_full
from builder.setup import bundled, contents
from builder.setup.progress import PipProgress

# A test environment has all that the builder needs as well.
KINDS = {"runtime": ("runtime",), "test": ("runtime", "test")}
USED, TEMPORARY = "used.lock", "temporary"
# pip's options that say where packages come from; others would put them elsewhere.
PIP_KEPT = {
    *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONFIG_FILE", "CACHE_DIR"),
    *("CERT", "CLIENT_CERT", "TRUSTED_HOST", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES"),
    *("NO_CACHE_DIR", "KEYRING_PROVIDER", "LOG", "USE_FEATURE"),
}
# Bytes that the larger environment takes while it is made.
ROOM = 500 << 20
# Seconds after which the progress is told again, also if pip prints nothing.
TICK = 1.0
# What ``python -m venv`` itself installs.
_BROUGHT = {"pip", "setuptools", "wheel"}
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
_SETTING = re.compile(r"^(global|install|:env:)\.([a-z0-9-]+)=(.*)$", re.MULTILINE)
# Isolated from the user's Python variables and packages, and from modules in this folder.
_ISOLATED = ("-I", "-X", "utf8")
_LIST = """
from importlib.metadata import distributions
for one in distributions():
    print(f"{one.metadata['Name']}=={one.version}")
"""
_IMPORT_ALL = """
import importlib
from importlib.metadata import packages_distributions
for name, dists in packages_distributions().items():
    if {"pip", "setuptools", "wheel"}.isdisjoint(dists) and name.isidentifier():
        if not name.startswith("_") and not name.endswith("__mypyc"):
            importlib.import_module(name)
"""
# Kills the whole group, this shell as well, once nobody holds the other end of its input open.
_KEPT = 'exec 3<&0 </dev/null; { read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & exec "$@" 3<&-'


def lock_of(root: Path, kind: str) -> Path:
    return root / "requirements" / f"{kind}.txt"


def pinned(text: str) -> dict[str, str]:
    """Versions by name, as a lock has them; the names are in a form that can be compared."""
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _PINNED.findall(text)
    }


def fill(root: Path, folder: Path, kind: str) -> None:
    """Make an environment for ``kind`` (a lock's name) in the new folder ``folder``.

    Raises EnvironmentFailure, or OSError.
    """
    (folder / TEMPORARY).mkdir(parents=True)
    python = str(folder / "bin/python")
    wheel = bundled.pip()
    venv = ("-m", "venv", *(("--without-pip",) if wheel else ()), str(folder))
    _step(folder, {}, "make an environment", _base_python(), *_ISOLATED, *venv)
    place = ("-m", "pip") if wheel is None else (bundled.unpack(wheel, folder / TEMPORARY),)
    pip = (python, *_ISOLATED, *place, "--disable-pip-version-check")
    told = _step(folder, {}, "read pip's configuration", *pip, "config", "list")
    settings = _sources(told)
    install = ("install", "--progress-bar=off", "--no-deps", "--no-user", "--require-hashes")
    lock = lock_of(root, kind)
    wanted = pinned(lock.read_text(encoding="utf-8"))
    progress = PipProgress(len(wanted), sys.stderr)
    argv = (*pip, *install, "--requirement", str(lock))
    _step(folder, settings, "install the packages", *argv, progress=progress)
    found = _step(folder, {}, "list the packages", python, *_ISOLATED, "-c", _LIST)
    _require_exactly(wanted, pinned(found))
    _step(folder, settings, "find every needed package in the lock", *pip, "check")
    _step(folder, {}, "import the packages", python, *_ISOLATED, "-c", _IMPORT_ALL)
    removal.remove(folder / TEMPORARY, folder)
    for name in KINDS[kind]:
        (folder / lock_of(root, name).name).write_bytes(lock_of(root, name).read_bytes())
    (folder / USED).touch()
    contents.record(folder)


def refused(error: OSError, root: Path) -> EnvironmentFailure:
    """The error for a refusal of the operating system."""
    place, here = error.filename or root, shlex.quote(str(root))
    cause = f"{place}: {error.strerror or error}"
    if is_full(error):
        hint = f"free {ROOM >> 20} MB on the file system that this shows: df -h {here}"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        hint = f"make a copy that you may write to: cp -r {here} ~/director-builder"
    else:
        hint = f"look at it: ls -la {here}"
    return EnvironmentFailure("the Python environment could not be made", cause, hint)


def _sources(told: str) -> dict[str, str]:
    """Variables for pip instead of its configuration: what `pip config list` says of ``PIP_KEPT``.

    An option such as ``target`` in a file would put the packages elsewhere, and no option of the
    command line takes that back.  Later sections win over earlier ones, as in pip.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for section, option, value in _SETTING.findall(told):
        name = option.upper().replace("-", "_")
        if name in PIP_KEPT:
            with contextlib.suppress(ValueError, SyntaxError):
                found[section][f"PIP_{name}"] = str(ast.literal_eval(value))
    merged = {name: value for section in found.values() for name, value in section.items()}
    return merged | {"PIP_CONFIG_FILE": os.devnull}


def _require_exactly(wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raises EnvironmentFailure unless the installed packages are those of the lock."""
    brought = {name: version for name, version in found.items() if name not in _BROUGHT}
    locked = {name: version for name, version in wanted.items() if name not in _BROUGHT}
    lacking = sorted(f"{n}=={v}" for n, v in locked.items() if brought.get(n) != v)
    foreign = sorted(f"{n}=={v}" for n, v in brought.items() if locked.get(n) != v)
    if lacking or foreign:
        raise EnvironmentFailure(
            "the Python environment could not be made: pip did not install what the lock names",
            f"missing: {_listed(lacking)}; not in the lock: {_listed(foreign)}",
            "python3 -m pip config debug (it shows which file sets which option)",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _base_python() -> str:
    """The interpreter outside every environment; its name does not change its meaning."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def _step(
    folder: Path,
    settings: Mapping[str, str],
    what: str,
    *argv: str,
    progress: PipProgress | None = None,
) -> str:
    """Run a program that makes a part of the environment; returns its standard output.

    None of its processes outlives this call or this process, however it ends.  ``progress``
    follows the output.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_") or name.removeprefix("PIP_") in PIP_KEPT
    }
    # The system's folder for temporary files may be a small one in memory.
    kept |= {"TMPDIR": str(folder / TEMPORARY), **settings}
    with _leash() as held:
        running = subprocess.Popen(
            ["sh", "-c", _KEPT, "sh", *argv],
            env=kept,
            stdin=held,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            said = b""
            if progress and running.stdout:
                said = _follow(running.stdout, progress)
            said += running.communicate()[0]
        finally:
            process.end_group(running)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)  # what holds the leash, and what strays
            if running.stdout:
                running.stdout.close()
    if running.returncode != 0:
        sys.stderr.write(said.decode(errors="replace"))
        raise _failed(what, running.returncode, folder.parents[1])
    return said.decode(errors="replace")


def _follow(output: IO[bytes], progress: PipProgress) -> bytes:
    """Let ``progress`` follow a program's output to its end; returns all of it."""
    said, rest = b"", b""
    try:
        while True:
            ready, _, _ = select.select([output], [], [], TICK)
            if ready:
                data = os.read(output.fileno(), 1 << 16)
                if not data:
                    return said
                said += data
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    progress.hear(line.decode(errors="replace"))
            progress.tick()
    finally:
        progress.close()


@contextlib.contextmanager
def _leash() -> Iterator[int]:
    """The reading end of a pipe; only this process has the other end."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _failed(what: str, status: int, root: Path) -> EnvironmentFailure:
    if shutil.disk_usage(root).free < ROOM // 10:
        return refused(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root)), root)
    return EnvironmentFailure(
        f"the Python environment could not be made: cannot {what}",
        f"exit status {status}; the message is printed above",
        "python3 -m pip config list (it shows where pip takes packages from)",
    )
