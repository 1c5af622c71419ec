"""Which way guests run on this host, decided once for each boot of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.digest import decode
from builder.host.paths import Cache
from builder.host.whole import write_whole

if TYPE_CHECKING:
    from builder.vm.hardware import Accelerator

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def accelerator(cache: Cache, scratch: Path, kernel: Path) -> Accelerator:
    """KVM or TCG, found out by booting ``kernel``; kept until the host boots again."""
    found = known(cache)
    if found is not None:
        return found
    from builder.vm.accelerator import decide  # noqa: PLC0415 - slow to load

    decided = decide(scratch, kernel=kernel)
    for old in cache.notes:
        old.unlink()
    write_whole(_note(cache), msgspec.json.encode(decided))
    return decided


def known(cache: Cache) -> Accelerator | None:
    """What was found out since this boot of the host; None if nothing was."""
    from builder.vm.hardware import Accelerator  # noqa: PLC0415 - only a run pays for it

    try:
        return decode(_note(cache).read_bytes(), Accelerator)
    except (OSError, msgspec.DecodeError):
        return None


def _note(cache: Cache) -> Path:
    return cache.accelerator(BOOT_ID.read_text(encoding="utf-8").strip())
