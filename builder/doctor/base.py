"""Whether this host can make the base, with the checks that a build runs before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from builder.base.image import host_faults
from builder.base.model import Base
from builder.doctor.finding import Finding, Status


def examine_base(base: Base | None) -> Iterator[Finding]:
    """A finding for each reason that the base cannot be made here; one finding if it can."""
    if base is None:
        return
    name = f"base {base.settings.name}"
    faults = tuple(host_faults(base))
    for fault in faults:
        yield Finding(name, Status.FAILURE, fault.what, fault.cause, fault.hint)
    if not faults:
        yield Finding(name, Status.OK, "architecture and package sources fit")
