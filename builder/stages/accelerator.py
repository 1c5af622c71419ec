"""Which way guests run on this host, decided once for each boot of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.host.paths import Cache
from builder.pipeline.ledger import write_whole
from builder.vm.accelerator import Accelerator, decide

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def accelerator(cache: Cache, scratch: Path, kernel: Path) -> Accelerator:
    """KVM or TCG, found out by booting ``kernel``; kept until the host boots again."""
    note = cache.accelerator(BOOT_ID.read_text(encoding="utf-8").strip())
    try:
        return msgspec.json.decode(note.read_bytes(), type=Accelerator)
    except (FileNotFoundError, msgspec.DecodeError):
        decided = decide(scratch, kernel=kernel)
        for old in cache.notes:
            old.unlink()
        write_whole(note, msgspec.json.encode(decided))
        return decided
