"""A scratch copy of the project, whose pins are renewed where Debian has them no longer.

CI builds from it: what Debian has replaced since the last commit is no fault of the checkout,
which stays as it is.  By hand: ``python -m tests.renewal PROFILE`` renews the project it runs in.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.commands import produce
from builder.commands.update import update
from builder.console import Console
from builder.errors import BuilderError, SourceUnreachable
from builder.host.ci import VARIABLE
from builder.host.paths import Cache, Project, find_cache, find_project
from builder.place import Place
from builder.profile import load
from builder.report import failure
from builder.selftest.outcome import BUILT_NEWER
from builder.source.pins import open_lock
from builder.stages.request import Request
from tests.world import ROOT, copy

_FOLDERS = ("builder", "dockerfiles", "patches", "specs")


def scratch(folder: Path, origin: Path = ROOT) -> Project:
    """A copy of all that a build reads; ``folder`` is new."""
    folder.mkdir(parents=True)
    shutil.copy(origin / "tasks.py", folder)
    for name in _FOLDERS:
        copy(origin / name, folder / name)
    return Project(folder)


def renew(project: Project, profile: str, cache: Cache, console: Console) -> tuple[str, ...]:
    """Move the sources whose pinned content no location has any more; a line for each.

    Raises as ``invoke update`` does, SourceUnreachable if there is nothing newer either.
    """
    lines: list[str] = []
    for name in load.load(project.specs, profile).source:
        before = _versions(project, profile, name)
        try:
            _fetch(project, profile, name, cache, console)
        except SourceUnreachable as gone:
            with _as_outside_ci():
                update(profile, name, Place(project, cache, console), check=False)
            after = _versions(project, profile, name)
            if after == before:
                raise gone from None
            lines.append(f"{name} {after}, where {before} is pinned")
    return tuple(lines)


@contextmanager
def _as_outside_ci() -> Iterator[None]:
    """What CI may not do to the checkout it may do to a copy."""
    before = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[VARIABLE] = before


def _fetch(project: Project, profile: str, name: str, cache: Cache, console: Console) -> None:
    produce.produce(
        Request(profile, locked=True),
        produce.exactly(f"fetch:{name}"),
        Place(project, cache, console),
    )


def _versions(project: Project, profile: str, name: str) -> str:
    """The pinned versions of a source, for people."""
    pins = open_lock(project, profile).pins(name).values()
    return ", ".join(sorted(pin.version or pin.file for pin in pins))


def main(profile: str) -> int:
    """Renew the project that this runs in, and say what is newer; the exit code of README.md."""
    console = Console()
    try:
        for line in renew(find_project(), profile, find_cache(), console):
            console.say(f"{BUILT_NEWER}: {line}")
    except BuilderError as error:
        console.say(failure.render(error, can_enter=False))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
