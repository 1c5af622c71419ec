"""The one way to run programs of the host.

Arguments are lists, never shell strings.  Output goes to the caller or to a log file; a
failure carries the last lines of the program's output.  Every child leads a process group of
its own, so that an interrupt ends it with all its children.  It dies with this process, however
that ends.  A program that needs privileges gets its own mount and PID namespaces: the host does
not see what it mounts, and its children do not outlive it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from builder.errors import EnvironmentFailure
from builder.host import packager, tools

TAIL_LINES = 20
GRACE_SECONDS = 1.0
# The kernel kills the child when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG).
# If the parent died before that was set, the child has another parent, and the shell ends.
_LEASH = ("setpriv", "--pdeathsig=KILL", "/bin/sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Finished:
    """A finished program: its exit status (negative: ended by that signal) and its output."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def text(self) -> str:
        """Standard output, decoded; undecodable bytes are replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """The last lines that it wrote to standard error (or output, if that is empty)."""
        words = (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")
        return "\n".join(words.splitlines()[-TAIL_LINES:]) or f"exit status {self.status}"


def require_tool(name: str, purpose: str = "") -> str:
    """Path of program ``name``, found on PATH or in the sbin folders.

    ``purpose``: completes "it is needed", if the table of tools is not exact enough.  Raises
    EnvironmentFailure that says how to install it if it is missing, KeyError if
    ``tools.toml`` does not have it.
    """
    tool = tools.table()[name]
    path = tools.find(name)
    if path is None:
        raise EnvironmentFailure(
            f"{name} is missing; it is needed {purpose or tool.purpose}",
            f"this host has no program named {name}",
            packager.line([tool]),
        )
    return path


def _held(words: list[str], *, own_namespaces: bool, many_users: bool) -> list[str]:
    """The command line that starts ``words`` so that it cannot outlive this process."""
    found = tools.find(words[0])
    if found is None or not os.access(found, os.X_OK):
        there = "it is not executable" if found else "no such program"
        raise EnvironmentFailure(f"cannot start {words[0]}", there, "run `invoke doctor`")
    fence: tuple[str, ...] = _NAMESPACES if own_namespaces else ()
    if own_namespaces and os.geteuid() != 0:
        fence = (*fence, "--map-root-user", *(("--map-auto",) if many_users else ()))
    # With their paths: an ordinary user's PATH may lack the folders of system programs.
    leash = (tools.find(_LEASH[0]) or _LEASH[0], *_LEASH[1:], str(os.getpid()))
    fence = tuple(tools.find(word) or word for word in fence[:1]) + fence[1:]
    program = words[0] if shutil.which(words[0]) else found
    return [*leash, *fence, program, *words[1:]]


def _environment(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if extra is None else {**os.environ, **extra}


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a started program and its children: with SIGTERM, then with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def start(
    argv: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    own_namespaces: bool = False,
    many_users: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own; leaving the block ends it.

    ``env`` is added to the environment.  ``own_namespaces``: as root, in mount and PID
    namespaces of its own; an ordinary user's program is root in a user namespace.
    ``many_users`` adds the users of the caller's subordinate range (subuid(5)).  Raises
    EnvironmentFailure if it cannot be started.
    """
    words = [str(word) for word in argv]
    try:
        process = subprocess.Popen(
            _held(words, own_namespaces=own_namespaces, many_users=many_users),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=_environment(env),
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot start {words[0]}", str(error), "run `invoke doctor`"
        ) from error
    try:
        yield process
    finally:
        end_group(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def run(
    argv: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    stdin_file: IO[bytes] | None = None,
    stdout_file: IO[bytes] | None = None,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    own_namespaces: bool = False,
) -> Finished:
    """Run a program to its end and return the result; the caller judges the status.

    ``log``: append standard output and error to that file instead of keeping them.
    ``own_namespaces``: see ``start``.  ``timeout``: seconds; after that, the program's group is
    ended and EnvironmentFailure is raised.
    """
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    handle = log.open("ab") if log is not None else None
    try:
        out: int | IO[bytes] = stdout_file or handle or subprocess.PIPE
        given: int | IO[bytes] = stdin_file or (
            subprocess.PIPE if stdin is not None else subprocess.DEVNULL
        )
        err: int | IO[bytes] = handle or subprocess.PIPE
        with start(
            argv,
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=env,
            own_namespaces=own_namespaces,
        ) as process:
            try:
                captured, complaint = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired as late:
                raise EnvironmentFailure(
                    f"{argv[0]} did not end within {timeout:.0f} s",
                    " ".join(str(word) for word in argv),
                    "run it by hand to see what it waits for",
                    log=log,
                ) from late
        words = tuple(str(word) for word in argv)
        return Finished(words, process.returncode, captured or b"", complaint or b"")
    finally:
        if handle is not None:
            handle.close()
