"""All findings about the patches of a profile's components, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from builder.errors import VerificationError
from builder.forensics import agreement, kabi, kconfig, view
from builder.forensics.agreement import LayoutReport
from builder.forensics.copies import HeaderCopy, LayoutCheck
from builder.forensics.kabi import KabiReport
from builder.forensics.kconfig import KconfigReport
from builder.patch.apply import Trial
from builder.patch.report import PatchReport, SeriesReport


class ComponentFindings(msgspec.Struct, frozen=True):
    """Findings about a component.  ``kabi`` is only there if its vendor has a kABI list."""

    patches: tuple[PatchReport, ...]
    kconfig: KconfigReport = KconfigReport()
    kabi: KabiReport | None = None

    def lines(self) -> Iterator[str]:
        """The lines to print."""
        yield from SeriesReport(self.patches).lines() or ("no patches",)
        yield from self.kconfig.lines()
        yield from self.kabi.lines() if self.kabi is not None else ()

    @property
    def failed(self) -> bool:
        """Whether a patch does not apply in full."""
        return SeriesReport(self.patches).failed

    def require(self) -> None:
        """Raise PatchError unless every patch applies in full."""
        SeriesReport(self.patches).require()


class ProfileFindings(msgspec.Struct, frozen=True):
    """Findings about a whole profile.  ``uncompared``: components that layout checks lacked."""

    components: dict[str, ComponentFindings]
    layouts: tuple[LayoutReport, ...] = ()
    uncompared: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The lines to print."""
        for name, found in self.components.items():
            yield f"{name}:"
            yield from (f"  {line}" for line in found.lines())
        for report in self.layouts:
            yield from report.lines()
        if self.uncompared:
            yield f"layout: not compared without {', '.join(self.uncompared)}"

    def require(self) -> None:
        """Raise PatchError or VerificationError for what must not be built."""
        for found in self.components.values():
            found.require()
        for report in self.layouts:
            report.require()


def examine(trial: Trial, kabi_list: Path | None = None, arch: str = "") -> ComponentFindings:
    """Examine a tried series.  ``kabi_list``: the vendor's; ``arch``: folder of ``arch/``.

    Raises UsageError for a malformed list.
    """
    old, new = view.before(trial), view.after(trial)
    symbols = kconfig.compare(old, new, trial.touched)
    exported = None
    if kabi_list is not None:
        listed = kabi.read_list(kabi_list)
        exported = kabi.compare(old, new, trial.touched, listed, arch)
    return ComponentFindings(trial.report.patches, symbols, exported)


def hold_together(
    checks: Sequence[LayoutCheck], trees: Mapping[str, Callable[[str], str | None]]
) -> tuple[LayoutReport, ...]:
    """Compare the copies of each check.

    ``trees``: how to read a file of a component's patched tree (None: there is none).
    Raises VerificationError for a copy that is not there or cannot be read, UsageError for
    a check that names nothing.
    """
    return tuple(
        agreement.compare(check, [_read(copy, trees[copy.component]) for copy in check.copies])
        for check in checks
    )


def _read(copy: HeaderCopy, read: Callable[[str], str | None]) -> str:
    text = read(copy.file)
    if text is None:
        raise VerificationError(
            f"{copy.component} has no {copy.file}",
            "its layouts must be compared with those of the other components",
            "it is a different release than the profile is for, or its layout table is wrong",
        )
    return text
