"""Whether this host can make the base, asked of the code that a build asks before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from builder.base.image import host_faults
from builder.base.model import Base
from builder.doctor.finding import Finding, Status


def examine_base(base: Base | None) -> Iterator[Finding]:
    """A finding for everything that keeps the base from being made here; one if nothing does."""
    if base is None:
        return
    name = f"base {base.settings.name}"
    faults = tuple(host_faults(base))
    for fault in faults:
        yield Finding(name, Status.FAILURE, fault.what, fault.cause, fault.hint)
    if not faults:
        yield Finding(name, Status.OK, "architecture and package sources fit")
