"""Debian packages of the host: which are missing, and how they are installed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host import ci, packager, tools
from builder.host.tools import Tool
from builder.host.whole import write_whole

ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT")
ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
USER_SOCKETS = ("docker.sock", "podman/podman.sock")
# What docker.io installs that runs by itself.
DAEMONS = ("docker.service", "docker.socket", "containerd.service")
APT_LISTS_LOCK = Path("/var/lib/apt/lists/lock")
UNFINISHED = Path("/var/lib/dpkg/updates")
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_MARK = "# of lvs-fullnat-builder's bootstrap"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def engine_is_named_or_present() -> bool:
    """Whether the user named a container engine, or one has its socket at a usual place."""
    if any(os.environ.get(name) for name in ENGINE_VARIABLES):
        return True
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    own = [Path(runtime) / name for name in USER_SOCKETS] if runtime else []
    return any(path.is_socket() for path in (*map(Path, ENGINE_SOCKETS), *own))


def missing(wanted: Iterable[Tool]) -> tuple[Tool, ...]:
    """The tools that this host does not have."""
    return tuple(tool for tool in wanted if not tools.is_present(tool))


def install(lacking: Sequence[Tool], *, yes: bool) -> None:
    """Install the packages of the tools that are lacking, after asking unless ``yes``.

    apt's output goes to standard error as it comes.  Raises EnvironmentFailure if nobody
    agrees or apt fails.
    """
    names = tuple(dict.fromkeys(tool.package for tool in lacking))
    command = packager.line(lacking)
    what = f"host packages are missing: {' '.join(names)}"
    other = packager.foreign()
    if other is not None:
        what = f"host programs are missing: {' '.join(tool.name for tool in lacking)}"
        cause = f"bootstrap installs packages on Debian and its relatives; this is {other}"
        raise EnvironmentFailure(what, cause, f"as root: {command}")
    if tools.find("apt-get") is None:
        hint = "install their equivalents by hand: " + ", ".join(tool.name for tool in lacking)
        raise EnvironmentFailure(what, "this host has no apt-get", hint)
    for line in describe(lacking):
        say(line)
    if not (yes or _agreed()):
        cause = "the installation was not confirmed"
        raise EnvironmentFailure(
            what, cause, f"{command}; or run it again with --yes before the task"
        )
    root = os.getuid() == 0
    sudo = () if root else ("sudo",)
    if sudo and tools.find("sudo") is None:
        cause = f"installing them needs root; this is user {os.getuid()}, and there is no sudo"
        raise EnvironmentFailure(what, cause, f"as root: {command}")
    _wait_for_other_apt()
    env = (*sudo, "env", "DEBIAN_FRONTEND=noninteractive")
    with _idle_daemons() if root and "docker.io" in names else contextlib.nullcontext():
        if UNFINISHED.is_dir() and any(UNFINISHED.iterdir()):
            say("finishing what an interrupted dpkg left")
            _run(env, "dpkg", "--configure", "-a")
        _run(env, "apt-get", "-q", "update")
        options = ("--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600")
        _run(env, "apt-get", "-q", "install", *options, *names)


def describe(lacking: Sequence[Tool]) -> Iterator[str]:
    """What would be installed, and what of it runs afterwards."""
    names = dict.fromkeys(tool.package for tool in lacking)
    width = max(len(name) for name in names)
    yield "missing Debian packages:"
    for name in names:
        purposes = dict.fromkeys(tool.purpose for tool in lacking if tool.package == name)
        yield f"  {name:<{width}}  {'; '.join(purposes)}"
    if "docker.io" not in names:
        return
    if os.getuid() == 0:
        yield (
            "docker.io brings a daemon that runs as root. It is neither started nor enabled: "
            "the builder starts an engine of its own for the time of a command. "
            "To have it always: systemctl enable --now docker"
        )
    else:
        yield (
            "docker.io starts a daemon that runs as root, now and at every boot (docker.service). "
            "To use it without being root: sudo usermod -aG docker $USER, and log in again; "
            "whoever is in that group can become root."
        )


def _agreed() -> bool:
    if os.getuid() == 0 and ci.is_ci():
        return True
    if not sys.stdin.isatty():
        return False
    print("Install them? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower().startswith("y")


def _run(before: Sequence[str], *argv: str) -> None:
    """Run a program of apt after the words ``before``; interrupts are passed on and waited for.

    Raises EnvironmentFailure if it fails.
    """
    with _deferred_signals() as heard:
        running = subprocess.Popen([*before, *argv], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    with running:
        try:
            if heard:
                raise KeyboardInterrupt
            status = running.wait()
        except KeyboardInterrupt:
            # dpkg finishes the package that it unpacks: half of one would be worse.
            say(f"interrupted; waiting for {argv[0]} to end")
            running.send_signal(signal.SIGINT)
            running.wait()
            raise
    if status != 0:
        raise EnvironmentFailure(
            "the host packages could not be installed",
            f"exit status {status}; its message is printed above",
            " ".join([*before, *argv]),
        )


@contextlib.contextmanager
def _deferred_signals() -> Iterator[list[int]]:
    """Signals within the block are only noted: between its start and ours nothing gets lost."""
    heard: list[int] = []
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [one for one in wanted if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, lambda number, _: heard.append(number)) for one in numbers}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_other_apt() -> None:
    """Wait until no other apt updates its lists: `apt-get update` itself would not wait.

    A new machine often runs one at its first boot.
    """
    if not os.access(APT_LISTS_LOCK, os.W_OK):
        return
    with APT_LISTS_LOCK.open("r+", encoding="utf-8") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another apt-get to end")
            fcntl.lockf(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def _idle_daemons() -> Iterator[None]:
    """Let the daemons of docker.io be installed without being started, now or at boot.

    This is done with policy-rc.d, which maintainer scripts ask (invoke-rc.d(8), Debian Policy
    9.3.3); the administrator's own is left alone.  If this process is killed, ours permits
    everything.
    """
    ours = not POLICY.exists() or POLICY_MARK in POLICY.read_text(
        encoding="utf-8", errors="replace"
    )
    if ours:
        write_whole(POLICY, policy(os.getpid()).encode(), mode=0o755)
    try:
        yield
        # Whichever service manager this host has.
        for command in (("systemctl", "disable", *DAEMONS), ("update-rc.d", "docker", "disable")):
            if tools.find(command[0]):
                subprocess.run(command, capture_output=True, check=False)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def policy(pid: int) -> str:
    """A policy-rc.d that forbids docker.io's daemons as long as process ``pid`` lives."""
    names = {name for daemon in DAEMONS for name in (daemon, daemon.partition(".")[0])}
    return (
        "#!/bin/sh\n"
        f"{POLICY_MARK}: it holds as long as process {pid} lives\n"
        f"[ -d /proc/{pid} ] || exit 0\n"
        'for word in "$@"; do\n'
        f"\tcase $word in {' | '.join(sorted(names))}) exit 101 ;; esac\n"
        "done\n"
        "exit 0\n"
    )
