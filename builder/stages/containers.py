"""Runs a stage's container so that a failed one can be entered afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from builder.base import load_base
from builder.engine.spec import ContainerSpec
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


@dataclass(frozen=True)
class Note:
    """How a container was run: ``profile`` and ``run`` say by whom, ``stage`` for what."""

    path: Path

    @property
    def stage(self) -> str:
        # No kind of stage has a hyphen in its name.
        return self.path.parts[-3].replace("-", ":", 1)

    @property
    def run(self) -> str:
        return self.path.parts[-4]

    @property
    def profile(self) -> str:
        return self.path.parts[-5]

    def read(self) -> ContainerSpec:
        """Raises FileNotFoundError if a sweep was quicker."""
        return msgspec.json.decode(self.path.read_bytes(), type=ContainerSpec, dec_hook=_path)


def noted(scratch: Path) -> list[Note]:
    """The containers of runs that did not end well, or still go on, the last one first."""
    found = [(path.stat().st_mtime, path) for path in scratch.glob(f"*/*/*/work/{NOTE}")]
    return [Note(path) for _, path in sorted(found, reverse=True)]


def _path(kind: type, value: object) -> Path:
    return Path(str(value))
