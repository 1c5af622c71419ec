"""Runs a stage's container so that a failed one can be entered afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from builder.base import load_base
from builder.engine.spec import ContainerSpec
from builder.pipeline.store import folder_name
from builder.stages.setting import Setting

NOTE = "container.json"


def run_container(
    setting: Setting,
    scratch: Path,
    spec: ContainerSpec,
    log: Path,
    see: Callable[[str], None] | None = None,
) -> int:
    """Run ``spec`` and return its exit status; how is noted in ``scratch`` for ``shell``."""
    limited = replace(spec, nofile=load_base(setting.base_folder).settings.nofile)
    (scratch / NOTE).write_bytes(msgspec.json.encode(limited, enc_hook=str))
    return setting.engine().run(limited, log=log, on_line=see)


def noted(scratch_root: Path, stage: str) -> ContainerSpec | None:
    """The container of the stage's last failed run, if it is still there."""
    notes = sorted(
        scratch_root.glob(f"*/{folder_name(stage)}/work/{NOTE}"),
        key=lambda path: path.stat().st_mtime,
    )
    if not notes:
        return None
    return msgspec.json.decode(notes[-1].read_bytes(), type=ContainerSpec, dec_hook=_path)


def _path(kind: type, value: object) -> Path:
    return Path(str(value))
