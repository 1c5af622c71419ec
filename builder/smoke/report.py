"""The result of a smoke run: the value that is kept, published and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from builder.digest import decode
from builder.errors import EnvironmentFailure


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One check inside the guest; ``ms`` is its own wall time in milliseconds.

    ``unsupported``: the guest cannot do it at all, for the reason in ``detail``; nothing is
    proven by it, and nothing has failed.
    """

    check: str
    ok: bool
    detail: str
    ms: int
    unsupported: bool = False


class Timing(msgspec.Struct, frozen=True):
    """Where the seconds between power-on and verdict went.

    ``firmware``: until the kernel started (boot loader included); ``kernel``: until its
    first process; ``userspace``: until the payload started; ``checks``: the payload itself.
    """

    firmware: float
    kernel: float
    userspace: float
    checks: float


class SmokeReport(msgspec.Struct, frozen=True):
    """The verdict on one image.  ``seconds`` is from power-on to the verdict."""

    verdict: Literal["pass", "fail"]
    kernel_release: str
    accelerator: str
    accelerator_reason: str
    seconds: float
    timing: Timing
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)

    @property
    def unsupported(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.unsupported)

    @property
    def summary(self) -> str:
        """How much was proven: ``19 checks, 2 unsupported``."""
        proven = f"{len(self.checks) - len(self.unsupported)} checks"
        return f"{proven}, {len(self.unsupported)} unsupported" if self.unsupported else proven


def load(path: Path) -> SmokeReport:
    """Read a kept report; raises EnvironmentFailure if it is not one."""
    try:
        return decode(path.read_bytes(), SmokeReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFailure(
            f"cannot read the smoke report {path}", str(error), "run `invoke smoke` again"
        ) from error


def save(report: SmokeReport, path: Path) -> None:
    """Write a report as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
