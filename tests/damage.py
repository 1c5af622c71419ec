"""Changes files as a failing disk does, or somebody who hides it: their times stay."""

from __future__ import annotations

import os
from pathlib import Path


def spoil(path: Path, data: bytes | None = None) -> None:
    """Write ``data`` over a file in place, or else change its last byte."""
    before = path.stat()
    if data is None:
        whole = path.read_bytes()
        data = whole[:-1] + bytes([whole[-1] ^ 1])
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
