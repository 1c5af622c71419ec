"""Open a shell where a stage failed: the same image, mounts and environment."""

from __future__ import annotations

from msgspec.structs import replace

from builder import names
from builder.console import Console
from builder.engine import connect
from builder.errors import UsageError
from builder.host import ownership
from builder.host.lock import hold_if_free
from builder.host.paths import Cache
from builder.pipeline.run import run_lock
from builder.pipeline.stagename import StageKind
from builder.place import Place
from builder.stages.containers import Note, noted

SHELL = ("/bin/bash", "-i")


def can_enter(cache: Cache, stage: str) -> bool:
    """Whether there is a failed container of this stage to enter."""
    return any(note.stage == stage for note in noted(cache.scratch))


def enter(stage: str, place: Place) -> int:
    """Open the shell; returns its exit status.  Its files are not swept meanwhile.

    Raises UsageError if no failed run of the stage is left (the next run sweeps it).
    """
    cache, console = place.cache, place.console
    if ownership.examine(cache) is ownership.State.MARKED:
        with ownership.read(cache, console):  # ``use`` would sweep what an earlier version left
            for note in noted(cache.scratch):
                if note.stage != stage:
                    continue
                # An active run holds its lock exclusively: its stage has not failed.
                lock = run_lock(cache, note.profile, note.run)
                with hold_if_free(lock, shared=True) as free:
                    if free and note.path.exists():
                        return _enter(note, cache, console)
    raise _none(stage, cache)


def _enter(note: Note, cache: Cache, console: Console) -> int:
    spec = note.read()
    console.say(f"this is how it was run: {' '.join(spec.argv)}")
    with connect(cache, console) as engine:
        return engine.shell(replace(spec, argv=SHELL))


def _none(stage: str, cache: Cache) -> UsageError:
    failed = sorted({note.stage for note in noted(cache.scratch)})
    kinds = [str(kind) for kind in StageKind]
    kind, _, _ = stage.partition(":")
    if kind not in kinds:
        nearest = names.nearest(kind, kinds)
        return UsageError(
            f"{names.shown(stage)} is not a stage{nearest}",
            f"a stage is one of these, most followed by a name: {', '.join(kinds)}",
            "invoke show stages",
        )
    return UsageError(
        f"there is no failed container of stage {names.shown(stage)}{names.nearest(stage, failed)}",
        "its last run succeeded, it uses no container, or a later run cleaned up",
        "run the build again; when it fails, it names the shell to open",
    )
