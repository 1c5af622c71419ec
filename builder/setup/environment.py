"""The Python environment of a checkout: exactly a lock, whole or not at all.

``.venv`` is a link into ``.venvs/``, where every environment is made under a name of its own
and is not changed afterwards: its scripts' first lines stay right, a kill leaves what nothing
leads to, and a run that goes on while another one makes a new environment keeps its own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from builder.errors import EnvironmentFailure
from builder.host import process, tools
from builder.setup.packages import say

LINK, HOME = ".venv", ".venvs"
# A test environment has all that the builder needs as well.
KINDS = {"runtime": ("runtime",), "test": ("runtime", "test")}
CONTENTS, USED, TEMPORARY = "contents.txt", "used.lock", "temporary"
# Of pip's variables those that say where packages come from; others would put them elsewhere.
PIP_KEPT = {
    *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONFIG_FILE", "CACHE_DIR"),
    *("CERT", "CLIENT_CERT", "TRUSTED_HOST", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES"),
    *("NO_CACHE_DIR", "KEYRING_PROVIDER", "LOG"),
}
# Bytes that the larger environment takes while it is made.
ROOM = 500 << 20
IMPORT_ALL = """
import importlib
from importlib.metadata import packages_distributions
for name, dists in packages_distributions().items():
    if {"pip", "setuptools", "wheel"}.isdisjoint(dists) and name.isidentifier():
        if not name.startswith("_") and not name.endswith("__mypyc"):
            importlib.import_module(name)
"""


def ensure(root: Path, kind: str) -> Path:
    """The folder of an environment for ``kind`` (a lock's name), made if none is in place.

    It stays as long as this process lives.  Raises EnvironmentFailure if it cannot be made, or
    OSError.
    """
    found = _current(root, kind)
    if found is None:
        with _alone(root / HOME):
            found = _current(root, kind) or _make(root, kind)
    return found


def run(folder: Path, words: Sequence[str]) -> NoReturn:
    """Run Invoke in the environment with these words, and end as it does."""
    if Path(sys.prefix) == folder:  # this very interpreter: another start would take its time
        from builder import commandline  # noqa: PLC0415 - needs what the environment has

        commandline.main(import_module("tasks"), words)
    argv = [str(folder / "bin/python"), "-X", "utf8", "-m", "invoke", *words]
    sys.stderr.flush()
    os.execv(argv[0], argv)  # noqa: S606 - a list, as everywhere


def told(error: OSError, root: Path) -> EnvironmentFailure:
    """What to say of the operating system's refusal."""
    place, here = error.filename or root, shlex.quote(str(root))
    cause = f"{place}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = f"free {ROOM >> 20} MB on the file system that this shows: df -h {here}"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        hint = f"make a copy that you may write to: cp -r {here} ~/director-builder"
    else:
        hint = f"look at what is there: ls -la {here}"
    return EnvironmentFailure("the Python environment could not be made", cause, hint)


def _lock_of(root: Path, kind: str) -> Path:
    return root / "requirements" / f"{kind}.txt"


def _current(root: Path, kind: str) -> Path | None:
    """Where ``.venv`` leads, if that is whole, starts and is of today's lock.

    It is held from then on: others do not remove it.
    """
    folder = (root / LINK).resolve()
    if folder.parent != (root / HOME).resolve() or not _is_whole(folder):
        return None
    if _bytes(folder / _lock_of(root, kind).name) != _lock_of(root, kind).read_bytes():
        return None
    hold = os.open(folder / USED, os.O_RDONLY)
    fcntl.flock(hold, fcntl.LOCK_SH)
    os.set_inheritable(hold, True)  # by what this process becomes
    return folder if _is_whole(folder) and _starts(folder) else None


def _starts(folder: Path) -> bool:
    """Whether its interpreter works: it runs this, or is tried."""
    if Path(sys.prefix) == folder:
        return True
    argv = [str(folder / "bin/python"), "-I", "-S", "-c", ""]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _packages(folder: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return folder / "lib" / version / "site-packages"


def _is_whole(folder: Path) -> bool:
    """Whether everything that was there when it was made is there, and for this Python.

    In another place the first lines of its scripts would lead to the old one.
    """
    place, *contents = (_bytes(folder / CONTENTS) or b"").decode().splitlines() or [""]
    if place != str(folder) or not os.access(folder / "bin/python", os.X_OK):
        return False
    try:
        present = set(os.listdir(_packages(folder)))  # noqa: PTH208 - names, quickly
    except OSError:
        return False
    return present.issuperset(contents)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep other bootstraps of this checkout from making or removing environments."""
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another bootstrap of this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(root: Path, kind: str) -> Path:
    count = _lock_of(root, kind).read_text(encoding="utf-8").count("==")
    folder = root / HOME / f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    _sweep(root)
    say(f"making {LINK}: {count} Python packages ({kind})")
    # Others may run the builder, and containers read it as another user.
    os.umask(os.umask(0) & ~0o055)
    try:
        _fill(root, folder, kind)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _lead(root, folder)
    python = shlex.quote(str(root / LINK / "bin/python"))
    say(
        f'for completion in this shell: eval "$({python} -m invoke --print-completion-script=bash)"'
    )
    found = _current(root, kind)
    if found is None:
        raise EnvironmentFailure(
            "the Python environment was changed while it was made", str(folder), "./bootstrap"
        )
    return found


def _fill(root: Path, folder: Path, kind: str) -> None:
    (folder / TEMPORARY).mkdir(parents=True)
    python = str(folder / "bin/python")
    quiet = ("-E", "-s")
    _step(folder, "make an environment", _base_python(), *quiet, "-m", "venv", str(folder))
    pip = (python, *quiet, "-m", "pip", "--disable-pip-version-check")
    install = ("install", "--quiet", "--no-deps", "--no-user", "--require-hashes")
    lock = str(_lock_of(root, kind))
    _step(folder, "install the packages", *pip, *install, "--requirement", lock)
    _step(folder, "find every needed package in the lock", *pip, "check")
    _step(folder, "import the packages", python, *quiet, "-c", IMPORT_ALL)
    shutil.rmtree(folder / TEMPORARY)
    for name in KINDS[kind]:
        (folder / _lock_of(root, name).name).write_bytes(_lock_of(root, name).read_bytes())
    (folder / USED).touch()
    names = sorted(set(os.listdir(_packages(folder))) - {"__pycache__"})  # noqa: PTH208
    (folder / CONTENTS).write_text(
        "".join(f"{line}\n" for line in (folder, *names)), encoding="utf-8"
    )


def _base_python() -> str:
    """The interpreter outside every environment; its name does not change its meaning."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def _step(folder: Path, what: str, *argv: str) -> None:
    """Run a program that makes a part of the environment; nothing of it outlives this process."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_") or name.removeprefix("PIP_") in PIP_KEPT
    }
    # The system's folder for temporary files may be a small one in memory.
    kept["TMPDIR"] = str(folder / TEMPORARY)
    setpriv = tools.find("setpriv")
    guard = (setpriv, "--pdeathsig=KILL") if setpriv else ()
    running = subprocess.Popen(
        [*guard, *argv],
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        status = running.wait()
    finally:
        process.end_group(running)
    if status != 0:
        raise _failed(what, status, folder.parents[1])


def _failed(what: str, status: int, root: Path) -> EnvironmentFailure:
    if shutil.disk_usage(root).free < ROOM // 10:
        return told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root)), root)
    return EnvironmentFailure(
        f"the Python environment could not be made: cannot {what}",
        f"exit status {status}; the message is printed above",
        "python3 -m pip config list (it shows where pip takes packages from)",
    )


def _lead(root: Path, folder: Path) -> None:
    """Let ``.venv`` lead to the new environment."""
    link, aside = root / LINK, root / HOME / "link"
    aside.unlink(missing_ok=True)
    aside.symlink_to(Path(HOME) / folder.name)  # as seen from where it goes
    if link.is_dir() and not link.is_symlink():  # of an earlier version of this builder
        link.rename(root / HOME / f"earlier-{os.getpid()}")
    aside.rename(link)


def _sweep(root: Path) -> None:
    """Remove environments that nothing leads to and nobody runs in, and what kills left."""
    current = (root / LINK).resolve()
    for folder in (root / HOME).iterdir():
        if folder == current or not folder.is_dir() or folder.is_symlink():
            continue
        try:
            handle = os.open(folder / USED, os.O_RDONLY)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)
