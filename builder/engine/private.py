"""A container engine of the builder's own: Debian's dockerd on a socket that nobody else uses.

Several builder processes share one: each holds the lock ``users`` shared, and the last one
to leave stops the engine.  A keeper waits for that lock too, so that the engine also ends
after its users were killed.  It runs in mount and PID namespaces of its own: the host sees
none of its mounts, and all of its processes end with it.

Lock order: ``users`` before ``gate``; whoever holds the gate never waits for ``users``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.console import Console
from builder.engine.location import Endpoint, ask
from builder.engine.remains import Process, clear, engine_processes, wait_until_dead
from builder.errors import EnvironmentFailure, Interrupted
from builder.host import flock
from builder.host.paths import Cache
from builder.host.process import run
from builder.host.removal import remove
from builder.host.space import tells_full
from builder.host.tools import find

START_SECONDS = 60.0
STOP_SECONDS = 20.0
HASTE_SECONDS = 0.5  # for an engine whose user wants to exit at once
TAIL_LINES = 6
CRASH_BYTES = 64 << 10
USERS, GATE = "users.lock", "gate.lock"
# vfs copies whole layers: slow, but works on every filesystem (tmpfs, overlay, NFS).
STORAGE_DRIVERS = ("overlay2", "vfs")


@dataclass(frozen=True)
class PrivateEngine:
    """The folders of a private engine.

    ``home``: locks and images, in the cache.  ``run``: sockets and mounts, short because
    a socket's path is limited to 108 bytes (unix(7)).
    """

    home: Path
    run: Path
    log: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def pidfile(self) -> Path:
        return self.run / "dockerd.pid"

    @property
    def group(self) -> str:
        """Control group of the containers."""
        return self.run.name

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"unix://{self.socket}", "the private engine", private=True, log=self.log)


def private_engine(cache: Cache) -> PrivateEngine:
    """The private engine that belongs to a cache."""
    home = cache.engine.resolve()
    short = hashlib.sha256(os.fsencode(home)).hexdigest()[:10]
    base = Path("/run")
    if not os.access(base, os.W_OK):
        base = Path(tempfile.gettempdir())
    return PrivateEngine(home, base / f"lvs-builder-{short}", cache.logs / "engine.log")


def find_daemon() -> str | None:
    """Path of dockerd, or None."""
    return find("dockerd")


@contextmanager
def hold(engine: PrivateEngine, console: Console) -> Iterator[Endpoint]:
    """Use the private engine: start it if it does not run, stop it when the last user leaves.

    Raises EnvironmentFailure if it cannot be started.
    """
    engine.home.mkdir(parents=True, exist_ok=True)
    gate = engine.home / GATE
    patience = STOP_SECONDS
    with flock.held(engine.home / USERS, shared=True) as users:
        try:
            with flock.held(gate):
                _ensure(engine, console)
            yield engine.endpoint
        except (KeyboardInterrupt, Interrupted):
            patience = HASTE_SECONDS
            raise
        finally:
            with flock.held(gate):
                last = flock.try_take(users)
                if last:
                    stop(engine, patience)
            if not last:
                # If others use the engine, this returns at once.  If the keeper was
                # quicker, this waits until the keeper has stopped the engine.
                flock.take(users, shared=True)


def daemon_process(engine: PrivateEngine) -> Process | None:
    """The running dockerd of this engine; never a foreign process with a reused number."""
    mark = f"--exec-root={engine.run}"
    for process in engine_processes(engine.run):
        if mark in process.argv and Path(process.argv[0]).name == "dockerd":
            return process
    return None


def _ensure(engine: PrivateEngine, console: Console) -> None:
    if daemon_process(engine):
        try:
            ask(engine.endpoint)
        except EnvironmentFailure:
            console.say("The private engine of an earlier run does not answer; ending it")
        else:
            console.say("Using the private engine that runs already")
            return
    began = time.monotonic()
    console.say("No container engine answers: starting a private one, which ends with this command")
    clear(engine.run, engine.data, engine.group)
    try:
        _start(engine)
    except EnvironmentFailure:
        if not _crashes(engine.log):
            raise
        # A full disk or a power cut leaves databases that crash dockerd.  The data holds only
        # images, which are in the cache.
        console.say("The private engine's data is damaged: starting with none")
        remove(engine.data, engine.home)
        _start(engine)
    console.say(f"Private engine ready after {time.monotonic() - began:.1f} s")


def _start(engine: PrivateEngine) -> None:
    failures = []
    for driver in _drivers(engine):
        # The keeper starts first, so that a kill never leaves an engine without a keeper.
        _launch_keeper(engine)
        words = _launch(engine, driver)
        if words is None:
            return
        failures.append(words)
        clear(engine.run, engine.data, engine.group)
        if tells_full(words):
            break
    raise EnvironmentFailure(
        "the private container engine does not start",
        failures[0],
        "run `invoke doctor`; or start Docker yourself and set DOCKER_HOST",
        log=engine.log,
    )


def _crashes(log: Path) -> bool:
    """Whether dockerd's last output is a crash of Go's runtime."""
    with log.open("rb") as handle:
        handle.seek(max(0, log.stat().st_size - CRASH_BYTES))
        said = handle.read()
    return b"\ngoroutine " in said or b"\nruntime." in said


def _drivers(engine: PrivateEngine) -> tuple[str, ...]:
    """The drivers to try; if vfs was used before, only vfs: images are kept per driver."""
    for driver in STORAGE_DRIVERS:
        if (engine.data / driver).is_dir() and driver != "overlay2":
            return (driver,)
    return STORAGE_DRIVERS


def _make_run_folder(run_folder: Path) -> None:
    # Others may write to the parent folder, so the run folder may be somebody else's.
    run_folder.mkdir(mode=0o700, exist_ok=True)
    found = run_folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EnvironmentFailure(
            "the private engine's run folder belongs to somebody else",
            f"{run_folder} is owned by user {found.st_uid}",
            f"remove {run_folder}",
        )


def _launch(engine: PrivateEngine, driver: str) -> str | None:
    """Start dockerd; None when it answers, else its own last output."""
    _make_run_folder(engine.run)
    engine.log.parent.mkdir(parents=True, exist_ok=True)
    before = engine.log.stat().st_size if engine.log.exists() else 0
    # The host's own daemon.json is for the host's own engine.
    settings = engine.run / "daemon.json"
    settings.write_text("{}\n", encoding="utf-8")
    # setsid forks, so that the engine outlives this process if another one still uses it.
    argv = [
        *("setsid", "--fork"),
        # Containers must see later mounts of the host, never the other way round.
        *("unshare", "--mount", "--propagation=slave", "--pid", "--fork", "--kill-child"),
        *("--mount-proc", find_daemon() or "dockerd"),
        f"--data-root={engine.data}",
        f"--exec-root={engine.run}",
        f"--pidfile={engine.pidfile}",
        # By default all of group docker could use it, and would then be as good as root.
        *(f"--host=unix://{engine.socket}", "--group=root"),
        f"--storage-driver={driver}",
        # Builds have no network: nothing of the host's network is touched.
        *("--bridge=none", "--iptables=false", "--ip6tables=false"),
        *("--ip-forward=false", "--ip-masq=false"),
        # Not systemd's driver: this one works on every host, also without systemd.
        *("--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{engine.group}"),
        *(f"--config-file={settings}", "--shutdown-timeout=2", "--log-level=warn"),
    ]
    # Otherwise containerd writes files with predictable names into a shared folder.
    run(argv, log=engine.log, env={"TMPDIR": str(engine.run)})
    if _becomes_ready(engine):
        return None
    return _last_words(engine.log, before)


def _becomes_ready(engine: PrivateEngine) -> bool:
    deadline = time.monotonic() + START_SECONDS
    grace = time.monotonic() + 1.0  # between fork and exec the command line is setsid's
    while time.monotonic() < deadline:
        if engine.socket.is_socket():
            try:
                ask(engine.endpoint)
            except EnvironmentFailure:
                pass
            else:
                return True
        if time.monotonic() > grace and daemon_process(engine) is None:
            return False
        time.sleep(0.03)
    return False


def _last_words(log: Path, before: int) -> str:
    with log.open("rb") as handle:
        handle.seek(before)
        lines = handle.read()[-8192:].decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:]) or "it ended without a message"


def _launch_keeper(engine: PrivateEngine) -> None:
    argv: list[str | Path] = [
        *("setsid", "--fork", "flock", "--exclusive", engine.home / USERS),
        *(sys.executable, "-m", "builder.engine.keeper"),
        *(engine.home, engine.run, engine.log),
    ]
    run(argv, log=engine.log, cwd=Path(__file__).parents[2])


def stop(engine: PrivateEngine, patience: float = STOP_SECONDS) -> None:
    """Stop the engine and all its processes; kill those that run after ``patience`` seconds."""
    process = daemon_process(engine)
    if process:
        process.send(signal.SIGTERM)
        wait_until_dead([process], patience)
    clear(engine.run, engine.data, engine.group)
