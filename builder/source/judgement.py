"""Judges a first use before it is pinned: nobody has vouched for these bytes yet.

A pin says which bytes are right.  Without a pin, it can only be checked whether they are what their
name says: an archive of that kind, whole to its end, with what the profile looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from builder.archive import cpio, rpm, tar
from builder.archive.member import Kind, Member, listed, placed
from builder.archive.stream import ForwardReader, open_stream
from builder.archive.unpack import Limits
from builder.errors import VerificationError
from builder.shown import answer, without_secrets
from builder.source import kind
from builder.source.expected import Expected
from builder.source.limit import ContentRefused

_SHOWN = 12  # names in a message

# Kinds of answers in place of a file, whatever the status says.
_COMPLAINTS = ("an HTML page", "an XML document", "a JSON document")


@dataclass(frozen=True)
class Contents:
    """What a file turned out to be.  ``bytes``: of the members together, uncompressed.

    ``names``: the topmost ones, as unpacking leaves them; ``members``: how many there are.
    """

    kind: str
    members: int = 0
    bytes: int = 0
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.members:
            return self.kind
        return f"{self.kind}, {self.members} members of {self.bytes} bytes: {_names(self.names)}"


def judge(
    path: Path, names: tuple[str, ...], expected: Expected, check: Callable[[], None]
) -> Contents:
    """Check that a file is what its names (of the file, of its URL) and the profile promise.

    It is read to its end; ``check`` is called on the way.  Raises ContentRefused, which says what
    the file is instead, and the errors of ``check``.
    """
    found, wanted = kind.of_file(path), kind.by_name(*names)
    if not path.stat().st_size or (not wanted and found.startswith("an HTML page")):
        raise ContentRefused(f"it served {found}")
    if not wanted:
        return Contents(found)
    if "a compressed file" in wanted and kind.is_compressed(found):
        return _whole(path, found, check)
    known = found if found in wanted else _old_tar(found, wanted)
    if not known:
        raise ContentRefused(f"it served {found}, not {kind.listed(wanted)}")
    return replace(_look_through(path, found, expected, check), kind=known)


def complaint(path: Path, names: tuple[str, ...]) -> str:
    """What a server says instead of serving a file, such as a login page; empty if it is none."""
    found, wanted = kind.of_file(path), kind.by_name(*names)
    is_none = not path.stat().st_size or found.startswith(_COMPLAINTS)
    return f"it served {found}" if is_none and found not in wanted else ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def served_by(label: str, hops: tuple[str, ...]) -> str:
    """Who served it in the end, if that was another address than the location's."""
    last = without_secrets(hops[-1]) if hops else ""
    return f" (served by {last})" if last and last != label.partition("#")[0] else ""


def told(
    contents: Contents, size: int, hops: tuple[str, ...], expected: Expected, *, signed: bool
) -> tuple[str, ...]:
    """The message on a first use of ``size`` bytes that came from these addresses."""
    what = f"it has {size} bytes and is {contents}"
    return (what,) if signed else (what, *_warnings(hops, expected))


def _warnings(hops: tuple[str, ...], expected: Expected) -> tuple[str, ...]:
    plain = next((hop for hop in hops if urlsplit(hop).scheme.lower() in ("http", "ftp")), None)
    if plain is None:
        return ()
    code = "code for a kernel" if expected.kernel else "code that is built and run"
    return (
        f"it came over plain {urlsplit(plain).scheme.lower()}, where anybody on the way can "
        f"change it, and it is {code}: nothing vouches for it",
        "compare its digest with one from elsewhere before you use what is built "
        '(docs/explanation/security.md, "Comparing a first use")',
    )


def _old_tar(found: str, wanted: frozenset[str]) -> str:
    """What a file is if it can be read; empty if reading cannot help.

    Only reading can tell: tars of the format of before 1988 have no magic.
    """
    packing = found.partition(", compressed with ")[2]
    promised = f"{kind.TAR}, compressed with {packing}" if packing else kind.TAR
    return promised if promised in wanted and found.startswith(kind.UNKNOWN) else ""


def _look_through(
    path: Path, found: str, expected: Expected, check: Callable[[], None]
) -> Contents:
    missing, tops = set(expected.members), dict[str, None]()
    endings = {PurePath(name).suffix for name in missing} - {""}
    alike: list[str] = []
    count = size = 0
    strip = 0 if found == kind.RPM else 1
    with _told(path, found):
        for member in _members(path, found):
            check()
            _refuse_odd(member)
            count, size = count + 1, size + member.size
            name = _kept(member, strip)
            missing.discard(name)
            if PurePath(name).suffix in endings and len(alike) <= _SHOWN:
                alike.append(name)
            if name and len(tops) <= _SHOWN:
                tops.setdefault(name.partition("/")[0])
    if not count:
        raise ContentRefused(f"it served {found} without members")
    if missing:
        release = f" ({rpm.read(path).release})" if found == kind.RPM else ""
        lacks, has = ", ".join(sorted(missing)), _names(tuple(dict.fromkeys((*alike, *tops))))
        raise ContentRefused(f"it served {found}{release} that lacks {lacks}; it has {has}")
    return Contents(found, count, size, tuple(tops))


def _members(path: Path, found: str) -> Iterator[Member]:
    offset = rpm.read(path).payload if found == kind.RPM else 0
    read = cpio.members if offset else tar.members
    with open_stream(path, Limits().bytes, offset) as (reader, _):
        yield from placed(read(reader))


def _refuse_odd(member: Member) -> None:
    parts = member.name.split(b"/")
    reason = member.odd or ("its name leads out" if b".." in parts or not parts[0] else "")
    if reason:
        raise ContentRefused(f"it served an archive with member {listed(member.name)}: {reason}")


def _kept(member: Member, strip: int) -> str:
    """The name as unpacking leaves it; empty for what it leaves out, and for folders."""
    if member.kind is Kind.FOLDER:
        return ""
    parts = [part for part in member.name.split(b"/") if part]
    return listed(b"/".join(part for part in parts[strip:] if part != b"."))


def _whole(path: Path, found: str, check: Callable[[], None]) -> Contents:
    """Read a compressed file that is not an archive to its end."""
    with _told(path, found), open_stream(path, Limits().bytes) as (reader, _):
        size = _drain(reader, check)
    return Contents(found, bytes=size)


def _drain(reader: ForwardReader, check: Callable[[], None]) -> int:
    while reader.read(1 << 17):
        check()
    return reader.tell()


@contextmanager
def _told(path: Path, found: str) -> Iterator[None]:
    """Damage counts as this location's answer; the next one may serve the whole file."""
    try:
        yield
    except VerificationError as error:
        cause = error.cause.replace(str(path), "it").replace(path.name, "it")
        told = f"it served {found} that is damaged or cut off: {answer(cause)}"
        raise ContentRefused(told) from error
