"""Opens a shell where a stage failed: the same image, mounts and environment."""

from __future__ import annotations

from dataclasses import replace

from builder.console import Console
from builder.engine import connect
from builder.errors import UsageError
from builder.host.paths import Cache
from builder.stages.containers import noted

SHELL = ("/bin/bash", "-i")


def can_enter(cache: Cache, stage: str) -> bool:
    """Is there a failed container of this stage to enter?"""
    return noted(cache.scratch, stage) is not None


def enter(stage: str, *, cache: Cache, console: Console) -> int:
    """Open the shell; returns its exit status.

    Raises UsageError if no failed run of the stage is left (the next run sweeps it).
    """
    spec = noted(cache.scratch, stage)
    if spec is None:
        raise UsageError(
            f"there is no failed container of stage {stage!r}",
            "it did not fail last time, it runs in no container, or a later run swept it",
            "run the build again; when it fails, it names the shell to open",
        )
    console.say(f"this is how it was run: {' '.join(spec.argv)}")
    with connect(cache, console) as engine:
        return engine.shell(replace(spec, argv=SHELL))
