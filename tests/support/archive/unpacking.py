"""Unpacks bytes as if they were a downloaded tar."""

from __future__ import annotations

import io
from pathlib import Path

from builder.archive.unpack import Limits, Unpacked, unpack
from builder.console import Console

QUIET = Console(stream=io.StringIO(), interactive=False)


def unpack_bytes(folder: Path, data: bytes, limits: Limits | None = None) -> Unpacked:
    (folder / "t.tar").write_bytes(data)
    return unpack(folder / "t.tar", folder / "out", console=QUIET, limits=limits or Limits())
