"""What a run may leave on the host outside of files: mounts, processes, containers, groups."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from builder.engine.private import private_engine
from builder.host.paths import Cache


def _mounts(*marks: str) -> frozenset[str]:
    """Points of this mount namespace with one of ``marks`` in their names."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return frozenset(point for point in points if any(mark in point for mark in marks))


def _processes(mark: str) -> frozenset[str]:
    """Those that have ``mark`` (the cache's path) in a word, the folder or a file of theirs."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            folder = str((entry / "cwd").readlink())
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and (any(mark in word for word in words) or folder.startswith(mark)):
            found.add(f"{entry.name} {' '.join(words)[:120]}")
    return frozenset(found)


def _groups(name: str) -> frozenset[str]:
    """The private engine's control groups, in every hierarchy."""
    root = Path("/sys/fs/cgroup")
    places = (root / name, *(top / name for top in root.iterdir() if top.is_dir()))
    return frozenset(str(place) for place in places if place.exists())


@dataclass(frozen=True)
class Traces:
    """The host as one cache's runs found it."""

    cache: Path
    mounts: frozenset[str]
    processes: frozenset[str]
    groups: frozenset[str]

    @staticmethod
    def now(cache: Path) -> Traces:
        private = private_engine(Cache(cache))
        return Traces(
            cache,
            _mounts(str(cache), str(private.run)),
            _processes(str(cache)) | _processes(str(private.run)),
            _groups(private.group),
        )

    def require_unchanged(self, seconds: float = 10.0) -> None:
        """Nothing is left of a run; the keeper of a killed run's engine has ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            now = Traces.now(self.cache)
            left = (now.mounts - self.mounts, now.processes - self.processes)
            if not any(left) and now.groups <= self.groups:
                return
            assert time.monotonic() < deadline, (left, now.groups - self.groups)
            time.sleep(0.1)
