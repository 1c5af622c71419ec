"""What a recording and its verdict are about, and how long it took."""

from __future__ import annotations

import msgspec

from builder.digest import Digest


class Subject(msgspec.Struct, frozen=True):
    """A built image.  ``image``: of ``director.qcow2``.  ``kernel_rpms``: installed in it, by
    file name.  ``release``: its kernel's ``uname -r``."""

    profile: str
    flavour: str
    base: str
    image: Digest
    release: str
    kernel_rpms: dict[str, Digest] = {}


class LabTiming(msgspec.Struct, frozen=True):
    """Seconds: until all hosts were up, until they were configured, all runs."""

    boot: float = 0.0
    setup: float = 0.0
    runs: float = 0.0

    @property
    def total(self) -> float:
        return round(self.boot + self.setup + self.runs, 3)
