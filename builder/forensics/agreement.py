"""Whether kernel and tools agree on what they pass to each other.

If they do not, every command fails with "Invalid operation" or does something different from
what it says; so a disagreement stops the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import msgspec

from builder.errors import UsageError, VerificationError
from builder.forensics.copies import HeaderCopy, LayoutCheck
from builder.forensics.header import CHeader
from builder.forensics.layout import FieldPlace, Shape


class Disagreement(msgspec.Struct, frozen=True):
    """``subject``: ``struct x`` or a constant; ``field``: of the structure, if one differs.

    ``first`` and ``second`` say what it is in the first copy and in this one.
    """

    subject: str
    field: str
    first: str
    second: str


class CopyReport(msgspec.Struct, frozen=True):
    """One copy compared with the first.

    ``structures`` and ``numbers`` were compared; the ``missing`` ones are only in the first copy,
    the ``alone`` numbers only in this one.
    """

    label: str
    component: str
    structures: tuple[str, ...] = ()
    numbers: int = 0
    missing: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


class LayoutReport(msgspec.Struct, frozen=True):
    """All copies compared with the one called ``first``."""

    first: str
    component: str
    copies: tuple[CopyReport, ...]

    def lines(self) -> tuple[str, ...]:
        """The lines to print."""
        return tuple(f"layout: {line}" for copy in self.copies for line in self._tell(copy))

    def _tell(self, copy: CopyReport) -> Iterator[str]:
        count = f"{len(copy.structures)} structures and {copy.numbers} numbers"
        verdict = "disagree" if copy.disagreements else "agree"
        yield f"{copy.label}: {count} compared with {self.first}: they {verdict}"
        yield from (f"  {self._words(copy, one)}" for one in copy.disagreements)
        yield from (f"  other name: {name}" for name in copy.renamed)
        if copy.missing:
            yield f"  not in this copy: {', '.join(copy.missing)}"
        if copy.alone:
            yield f"  only in this copy: {', '.join(copy.alone)}"

    def _words(self, copy: CopyReport, one: Disagreement) -> str:
        subject = f"{one.subject}, field {one.field}" if one.field else one.subject
        return f"{subject}: {one.first} in {self.component}, {one.second} in {copy.component}"

    def failure(self) -> VerificationError | None:
        """The first copy that differs as an error to raise, or None."""
        for copy in self.copies:
            if copy.disagreements:
                return VerificationError(
                    f"{self.component} and {copy.component} disagree on"
                    f" {copy.disagreements[0].subject}",
                    "\n".join(self._words(copy, one) for one in copy.disagreements),
                    f"take both from one release: {self.first} and {copy.label} must match,"
                    " or the tool's commands fail",
                )
        return None

    def require(self) -> None:
        """Raise VerificationError unless all agree."""
        failure = self.failure()
        if failure is not None:
            raise failure


def compare(check: LayoutCheck, texts: Sequence[str]) -> LayoutReport:
    """Compare the copies' ``texts``, in the order of ``check``, with the first.

    Raises VerificationError for a text that cannot be read, UsageError for a check that
    names nothing there.
    """
    first = check.copies[0]
    reference = _open(first, texts[0])
    names = tuple(_choose(check, reference.structures, first))
    shapes = _shapes(first, reference, names)
    numbers = _numbers(check, first, reference)
    reports = tuple(
        _compare_copy(check, copy, text, shapes, numbers)
        for copy, text in zip(check.copies[1:], texts[1:], strict=True)
    )
    return LayoutReport(first.label, first.component, reports)


def _compare_copy(
    check: LayoutCheck,
    copy: HeaderCopy,
    text: str,
    shapes: dict[str, Shape],
    numbers: dict[str, int],
) -> CopyReport:
    header = _open(copy, text)
    present = {
        name: copy.names.get(name, name)
        for name in shapes
        if copy.names.get(name, name) in header.structures
    }
    theirs = _shapes(copy, header, tuple(present.values()))
    values = _numbers(check, copy, header)
    shared = values.keys() & numbers.keys()
    if not present and not shared:
        raise UsageError(
            f"nothing in {copy.label} can be compared with {check.copies[0].label}",
            f"structures there: {', '.join(header.structures) or 'none'}",
            "name its structures in the profile's layout table (names)",
        )
    pairs = [(name, shapes[name], theirs[other]) for name, other in present.items()]
    return CopyReport(
        label=copy.label,
        component=copy.component,
        structures=tuple(present),
        numbers=len(shared),
        missing=tuple(name for name in shapes if name not in present),
        alone=tuple(sorted(values.keys() - numbers.keys())),
        renamed=tuple(text for name, one, two in pairs for text in _renamed(name, one, two)),
        disagreements=(
            *(found for name, one, two in pairs for found in _differ(name, one, two)),
            *(
                Disagreement(name, "", str(numbers[name]), str(values[name]))
                for name in sorted(shared)
                if numbers[name] != values[name]
            ),
        ),
    )


def _choose(check: LayoutCheck, present: Sequence[str], first: HeaderCopy) -> Iterator[str]:
    for pattern in check.structures:
        found = [name for name in present if fnmatchcase(name, pattern)]
        if not found:
            raise UsageError(
                f"{first.label} has no structure {pattern}",
                f"structures there: {', '.join(present) or 'none'}",
                "correct the profile's layout table, or the source is another release",
            )
        yield from found


def _open(copy: HeaderCopy, text: str) -> CHeader:
    try:
        return CHeader(text, copy.defines)
    except ValueError as error:
        raise _unreadable(copy, error) from error


def _shapes(copy: HeaderCopy, header: CHeader, names: Sequence[str]) -> dict[str, Shape]:
    try:
        return header.shapes(names)
    except ValueError as error:
        raise _unreadable(copy, error) from error


def _numbers(check: LayoutCheck, copy: HeaderCopy, header: CHeader) -> dict[str, int]:
    try:
        return header.numbers(check.wants)
    except ValueError as error:
        raise _unreadable(copy, error) from error


def _unreadable(copy: HeaderCopy, error: ValueError) -> VerificationError:
    return VerificationError(
        f"the layouts of {copy.label} cannot be read",
        str(error),
        "set what the compiler would see in the profile's layout table (defines)",
    )


def _differ(name: str, first: Shape, second: Shape) -> Iterator[Disagreement]:
    subject = f"struct {name}"
    if first.size != second.size:
        yield Disagreement(subject, "", f"{first.size} bytes", f"{second.size} bytes")
    mine, theirs = _by_name(first), _by_name(second)
    for field, place in mine.items():
        other = theirs.get(field)
        if other is not None and other != place:
            yield Disagreement(subject, field, _where(place), _where(other))
        elif other is None and not _at(place, theirs, mine):
            yield Disagreement(subject, field, _where(place), "missing")
    for field, place in theirs.items():
        if field not in mine and not _at(place, mine, theirs):
            yield Disagreement(subject, field, "missing", _where(place))


def _renamed(name: str, first: Shape, second: Shape) -> Iterator[str]:
    mine, theirs = _by_name(first), _by_name(second)
    for field, place in mine.items():
        other = _at(place, theirs, mine)
        if field not in theirs and other is not None and "[]" not in field:
            yield f"struct {name}, field {field} is {other.name} here"


def _at(
    place: FieldPlace, among: dict[str, FieldPlace], known: dict[str, FieldPlace]
) -> FieldPlace | None:
    """The field at the same place in the other structure, if its name is unknown in this one."""
    alike = (other for other in among.values() if replace(other, name=place.name) == place)
    return next((other for other in alike if other.name not in known), None)


def _by_name(shape: Shape) -> dict[str, FieldPlace]:
    return {place.name: place for place in shape.places}


def _where(place: FieldPlace) -> str:
    if place.width:
        return f"bit {place.bit}, {place.width} bits"
    return f"offset {place.offset}, {place.size} bytes"
