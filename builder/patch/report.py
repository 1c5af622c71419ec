"""The result for each hunk, in values and in words."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from builder.errors import PatchError
from builder.patch.hunk import CUT, CUT_HINT
from builder.patch.series import ask_again

REJECT_LINES = 60


class HunkOutcome(StrEnum):
    """The result for a hunk; the last two leave the series incomplete."""

    CLEAN = "clean"
    OFFSET = "offset"
    FUZZ = "fuzz"
    APPLIED = "already applied"
    REJECTED = "rejected"

    @property
    def failed(self) -> bool:
        return self in (HunkOutcome.APPLIED, HunkOutcome.REJECTED)


class HunkReport(msgspec.Struct, frozen=True):
    """One hunk.  ``line``: where it was put, or where it was expected, from 1.

    ``offset`` in lines (negative: earlier than expected), ``fuzz`` in context lines that
    were passed over; ``text`` is the hunk itself if it failed, ``reason`` why, if known.
    """

    header: str
    outcome: HunkOutcome
    line: int
    offset: int = 0
    fuzz: int = 0
    text: str = ""
    reason: str = ""

    @property
    def kind(self) -> str:
        """The outcome as one phrase: ``offset -2``, ``fuzz 1 offset 3``."""
        offset = f"offset {self.offset}"
        if self.outcome is HunkOutcome.FUZZ:
            return f"fuzz {self.fuzz} {offset}" if self.offset else f"fuzz {self.fuzz}"
        return offset if self.outcome is HunkOutcome.OFFSET else self.outcome.value


class FileReport(msgspec.Struct, frozen=True):
    """One file of a patch.  ``action``: change, new, delete, rename, copy or mode.

    ``problem``: why the file as a whole could not be patched; empty if it could.  ``note``: what
    was done to the patch's line ends.
    """

    path: str
    action: str
    hunks: tuple[HunkReport, ...]
    problem: str = ""
    origin: str | None = None
    note: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.problem) or any(hunk.outcome.failed for hunk in self.hunks)


class PatchReport(msgspec.Struct, frozen=True):
    """One patch.  ``after_failure``: an earlier patch failed, so this one's may be its fault.

    ``path``: where it lies.  ``origin``: what it came out of; empty for one of this project.
    ``note``: what is odd about it, or why it was left out (it has no ``files`` then).
    ``fixes``: advice if it fixes a fault that not every release of the source has.
    """

    name: str
    subject: str
    files: tuple[FileReport, ...]
    after_failure: bool = False
    path: str = ""
    origin: str = ""
    note: str = ""
    fixes: str = ""

    @property
    def failed(self) -> bool:
        return any(file.failed for file in self.files)

    @property
    def clean(self) -> bool:
        """Whether there is nothing to report."""
        return not self.note and all(
            not file.problem
            and not file.note
            and all(hunk.outcome is HunkOutcome.CLEAN for hunk in file.hunks)
            for file in self.files
        )

    def lines(self) -> Iterator[str]:
        """One line, and details of whatever is not clean."""
        if self.note:
            yield f"{self.name}: {self.note}"
        if self.files:
            yield from self._outcomes()

    def _outcomes(self) -> Iterator[str]:
        hunks = [hunk for file in self.files for hunk in file.hunks]
        counts = Counter(hunk.kind for hunk in hunks)
        told = [f"{count} {kind}" for kind, count in counts.items()]
        bare = Counter(file.action for file in self.files if not file.hunks and not file.problem)
        told += [f"{count} {action}" for action, count in bare.items()]
        lost = sum(1 for file in self.files if file.problem)
        told += [f"{_count(lost, 'file')} not patched"] if lost else []
        size = f"{_count(len(self.files), 'file')}, {_count(len(hunks), 'hunk')}"
        note = " (tried after a failed patch)" if self.after_failure else ""
        yield f"{self.name}: {size}: {', '.join(told)}{note}"
        for file in self.files:
            yield from _details(file)


class SeriesReport(msgspec.Struct, frozen=True):
    """A whole series against one tree."""

    patches: tuple[PatchReport, ...]

    @property
    def failed(self) -> bool:
        """Whether the series does not apply in full."""
        return any(patch.failed for patch in self.patches)

    def lines(self) -> tuple[str, ...]:
        """For people."""
        return tuple(line for patch in self.patches for line in patch.lines())

    def brief(self) -> tuple[str, ...]:
        """For people who wait: all clean patches in one line, and the others in detail."""
        clean = [patch for patch in self.patches if patch.clean]
        files = [file for patch in clean for file in patch.files]
        hunks = sum(len(file.hunks) for file in files)
        verb = "applies" if len(clean) == 1 else "apply"
        size = f"{_count(len(files), 'file')}, {_count(hunks, 'hunk')}"
        first = f"{len(clean)} {'patch' if len(clean) == 1 else 'patches'} {verb} cleanly: {size}"
        others = (line for patch in self.patches if not patch.clean for line in patch.lines())
        return (first, *others) if clean else tuple(others)

    def anywhere(self) -> SeriesReport:
        """The same without places of this machine, so that it is the same on every machine."""
        return SeriesReport(tuple(msgspec.structs.replace(one, path="") for one in self.patches))

    def as_json(self) -> str:
        """For programs: the fields of these classes, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def failure(self) -> PatchError | None:
        """The first failure as an error to raise, or None if the series applies in full."""
        for patch in self.patches:
            for file in patch.files:
                if file.failed:
                    return _explain(patch, file)
        return None

    def require(self) -> None:
        """Raise PatchError unless the series applies in full."""
        failure = self.failure()
        if failure is not None:
            raise failure


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _details(file: FileReport) -> Iterator[str]:
    if file.problem:
        yield f"  {file.path}: {file.problem}"
    if file.note:
        yield f"  {file.path}: {file.note}"
    for number, hunk in enumerate(file.hunks, 1):
        if hunk.outcome is HunkOutcome.CLEAN or (
            file.problem and hunk.outcome is HunkOutcome.REJECTED
        ):
            continue
        where = f"hunk {number} of {len(file.hunks)} {hunk.header}"
        yield f"  {file.path}: {where}: {hunk.kind}, line {hunk.line}"
        if hunk.reason:
            yield f"    {hunk.reason}"
        if hunk.outcome is HunkOutcome.REJECTED:
            yield from (f"    {line}" for line in _shorten(hunk.text))


def _shorten(text: str) -> list[str]:
    lines = text.splitlines()
    rest = len(lines) - REJECT_LINES
    return lines if rest <= 0 else [*lines[:REJECT_LINES], f"... and {rest} lines more"]


def _explain(patch: PatchReport, file: FileReport) -> PatchError:
    if file.problem:
        return PatchError(
            f"{patch.name} does not apply to {file.path}",
            file.problem,
            _advice(patch)
            or "check that the patch is for this source version and comes after those it builds on",
        )
    bad = [hunk for hunk in file.hunks if hunk.outcome.failed]
    first = bad[0]
    number = file.hunks.index(first) + 1
    where = f"{file.path}, hunk {number} of {len(file.hunks)}"
    if first.outcome is HunkOutcome.APPLIED:
        return _explain_applied(patch, first, where)
    return PatchError(
        f"{patch.name} does not apply: {where}, {first.header}",
        first.reason or "\n".join(_shorten(first.text)),
        _advice(patch) or _rework(patch, first),
    )


def _explain_applied(patch: PatchReport, hunk: HunkReport, where: str) -> PatchError:
    return PatchError(
        f"{patch.name} is already applied: {where}",
        "\n".join(
            [
                f"the file has these lines already, expected at line {hunk.line}",
                *_shorten(hunk.text),
            ]
        ),
        _advice(patch)
        or f"the source has this change; take it out of {patch.name}, or the patch out of series",
    )


def _advice(patch: PatchReport) -> str:
    """What to do where the patch itself is not to be edited, or need not be there."""
    return ask_again(patch.origin) if patch.origin else patch.fixes


def _rework(patch: PatchReport, hunk: HunkReport) -> str:
    if hunk.reason == CUT:
        return CUT_HINT
    if hunk.reason:
        return (
            "give it CRLF at the end of every line: it then takes the line ends of the source,"
            f" file by file:\nsed -i 's/\\r*$/\\r/' {shlex.quote(patch.path)}"
        )
    return "rework this hunk against the source in use (quilt push -f, edit, quilt refresh)"
