"""Control groups of the machine's own, in every hierarchy of versions 1 and 2 (cgroups(7))."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.host import process

MOUNT = Path("/sys/fs/cgroup")
PATIENCE = 10.0


@dataclass(frozen=True)
class Hierarchy:
    """One hierarchy: where it is mounted, its controllers (empty: version 2).

    ``shown``: the group that the mount has at its top; ``ours``: the one of this process.
    """

    mount: Path
    controllers: str
    shown: Path
    ours: Path

    @property
    def group(self) -> Path:
        """This process's own group.  Raises ValueError if the mount does not show it."""
        return self.mount / self.ours.relative_to(self.shown)


def hierarchies() -> Iterator[Hierarchy]:
    """Every hierarchy that is mounted here and that has this process in a group."""
    ours: dict[str, Path] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        ours[names] = Path(path)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        shown, mount = map(Path, left.split()[3:5])
        kind, _, options = right.split(" ", 2)
        controllers = _matching(kind, options, ours)
        if controllers is not None:
            yield Hierarchy(mount, controllers, shown, ours[controllers])


def _matching(kind: str, options: str, ours: dict[str, Path]) -> str | None:
    if kind == "cgroup2":
        return "" if "" in ours else None
    if kind != "cgroup":
        return None
    words = set(options.split(","))
    return next((one for one in ours if one and set(one.split(",")) <= words), None)


def make(name: str) -> None:
    """Make the group ``name`` below this process's own, in every hierarchy."""
    for hierarchy in hierarchies():
        new = hierarchy.group / name
        new.mkdir()
        for limit in ("cpuset.cpus", "cpuset.mems"):
            # A new group of version 1 may use no processor at all (cpuset(7)).
            if hierarchy.controllers and (new / limit).exists():
                (new / limit).write_text((hierarchy.group / limit).read_text())
        if not hierarchy.controllers:
            _delegate(hierarchy.group)


def _delegate(group: Path) -> None:
    """Let the groups below have what this one has, as far as the kernel allows."""
    for controller in (group / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def join(name: str) -> None:
    """Move this process into the groups that ``make`` made."""
    for hierarchy in list(hierarchies()):
        (hierarchy.group / name / "cgroup.procs").write_text("0")


def remove(name: str) -> list[str]:
    """Remove the groups below ours, with those inside; returns what would not go."""
    deadline = time.monotonic() + PATIENCE
    while left := _remove_once(name):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def _remove_once(name: str) -> list[str]:
    left = []
    for hierarchy in hierarchies():
        top = hierarchy.group / name
        inner = [path for path in top.rglob("*") if path.is_dir()] if top.exists() else []
        for folder in [*sorted(inner, reverse=True), top]:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(str(folder))
    return left


def show(root: Path) -> None:
    """Mount the hierarchies below ``root``, as this namespace of control groups sees them."""
    found = list(hierarchies())
    target = root / MOUNT.relative_to("/")
    if all(hierarchy.mount != MOUNT for hierarchy in found):
        process_run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(target))
    for hierarchy in found:
        place = root / hierarchy.mount.relative_to("/")
        place.mkdir(exist_ok=True)
        if not hierarchy.controllers:
            process_run("mount", "-t", "cgroup2", "cgroup2", str(place))
            _leave_top(place)
            continue
        named = hierarchy.controllers.startswith("name=")
        options = f"none,{hierarchy.controllers}" if named else hierarchy.controllers
        process_run("mount", "-t", "cgroup", "-o", options, "cgroup", str(place))


def _leave_top(top: Path) -> None:
    """A group of version 2 that has members cannot hand out controllers to groups below it."""
    if not (top / "cgroup.controllers").read_text().strip():
        return
    (top / "init").mkdir(exist_ok=True)
    for member in (top / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (top / "init" / "cgroup.procs").write_text(member)
    _delegate(top)


def process_run(*argv: str) -> None:
    """Run a program; raises RuntimeError with its message if it fails."""
    ended = process.run(argv)
    if not ended.ok:
        raise RuntimeError(f"{' '.join(argv)}: {ended.complaint}")
