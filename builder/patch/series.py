"""A component's patches in their order, as quilt keeps them: ``series`` and ``*.patch``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from builder import text as texts
from builder.errors import PatchError, UsageError
from builder.patch import kind, order
from builder.patch.diff import PatchedFile, parse
from builder.patch.fix import Fix

TAG = re.compile(r"^\[[^\]]*\]\s*")


@dataclass(frozen=True)
class Patch:
    """One patch: ``sha256`` is of the file's bytes, ``subject`` the first line of its message.

    ``data``: its bytes.  ``origin``: where it came from, in words; empty for a patch of this
    project.  ``note``: what is odd about it but does no harm.  ``fix``: the fault without which it
    is left out.
    """

    name: str
    path: Path
    sha256: str
    files: tuple[PatchedFile, ...]
    subject: str
    data: bytes = b""
    origin: str = ""
    note: str = ""
    fix: Fix | None = None


@dataclass(frozen=True)
class Series:
    """The patches of ``folder`` in the order in which they are applied."""

    folder: Path
    patches: tuple[Patch, ...]


def load(folder: Path) -> Series:
    """Read and check the series in ``folder``; one that is missing or empty has no patches.

    Syntax of the ``series`` file: quilt(1).  Raises UsageError with file and line for a
    missing, unlisted or repeated patch, PatchError for a malformed one, and VerificationError
    for one that touches paths outside its tree.
    """
    return Series(
        folder, tuple(_read_patch(folder, line, name) for line, name in order.listed(folder))
    )


def read(path: Path, origin: str = "", *, crlf: bool = False) -> Patch:
    """One patch by itself; ``origin``: where it came from.  Raises as ``load``.

    Nobody edits a patch from an archive: its faults are reported with other advice, and CRLF line
    ends are wrong unless its author wrote them (``crlf``).
    """
    try:
        patch = _read_patch(path.parent, 0, path.name, origin)
    except PatchError as error:
        if origin:
            error.hint = ask_again(origin)
        raise
    if origin and not crlf and any(file.carriage for file in patch.files):
        raise PatchError(
            f"{path.name} has CRLF line ends",
            f"it comes out of {origin}, whose files have probably been converted on their way",
            f"{ask_again(origin)}; if its author wrote it so, say crlf = true beside its file in"
            " the component's patches in profile.toml",
        )
    return patch


def ask_again(origin: str) -> str:
    """Advice for a faulty patch from ``origin``."""
    return (
        f"the patch comes out of {origin}: ask for the archive again, or take the release of it"
        " that is for this source"
    )


def join(folder: Path, patches: Iterable[Patch]) -> Series:
    """A series of patches from several places, in this order.

    Raises UsageError if two have one name: source RPMs keep them in one flat folder.
    """
    joined = tuple(patches)
    places: dict[str, Path] = {}
    for patch in joined:
        if patch.name in places:
            raise UsageError(
                f"two patches are called {patch.name}",
                f"{places[patch.name]} and {patch.path}",
                "rename one of them",
            )
        places[patch.name] = patch.path
    return Series(folder, joined)


def digest(series: Series) -> str:
    """SHA-256 over names, order and contents, in hex, for a stage's key."""
    text = "".join(f"{patch.sha256}  {patch.name}\n" for patch in series.patches)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def touched(series: Series) -> frozenset[str]:
    """Every path of the tree that the series reads, writes, makes or removes."""
    return frozenset(
        path for patch in series.patches for file in patch.files for path in file.paths
    )


def _read_patch(folder: Path, line: int, name: str, origin: str = "") -> Patch:
    path = folder / name
    try:
        data = texts.read_bytes(path)
    except OSError as error:
        raise UsageError(
            f"{folder / order.SERIES}:{line}: patch {name} is missing",
            f"{path}: {error.strerror}",
            "bring the file back or take the line out of the series",
        ) from error
    shown = Path(name) if origin else path  # nobody is sent into the cache
    return Patch(
        name=name,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        files=parse(shown, data),
        subject=_subject(data.removeprefix(kind.MARK)),
        data=data,
        origin=origin,
        note=kind.refuse(shown, data),
    )


def _subject(data: bytes) -> str:
    """The Subject of a mail (tags in brackets taken off), else the first line of the message."""
    lines = re.split(rb"^(?:diff |--- |Index: )", data, maxsplit=1, flags=re.MULTILINE)[0]
    text = lines.decode(errors="replace").splitlines()
    for number, line in enumerate(text):
        if line.lower().startswith("subject:"):
            words = [line[len("subject:") :].strip()]
            for more in text[number + 1 :]:
                if not more[:1].isspace() or not more.strip():
                    break
                words.append(more.strip())
            return TAG.sub("", " ".join(words))
    return next((line.strip() for line in text if line.strip()), "")
