"""What a file is by its first bytes, and what it ought to be by its name.

Servers answer with login pages, error texts and pointers where an archive was requested, and say
"200 OK" to them.  Such an answer is reported as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.archive import rpm
from builder.archive.stream import compression, peek
from builder.shown import answer

RPM = "an RPM"
TAR = "a tar"
UNKNOWN = "a file of an unknown kind"
_START = 4096  # bytes that are looked at
_LONGEST = 60  # characters of a text that are shown
_USTAR = slice(257, 262)  # the magic in a tar's first header (POSIX.1-1988)
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body|script|title|meta|h1)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>([^<]*)", re.IGNORECASE)
_SUFFIXES = {
    ".rpm": RPM,
    ".tar": TAR,
    **dict.fromkeys((".tar.gz", ".tgz"), f"{TAR}, compressed with gzip"),
    **dict.fromkeys((".tar.bz2", ".tbz2", ".tbz"), f"{TAR}, compressed with bzip2"),
    **dict.fromkeys((".tar.xz", ".txz"), f"{TAR}, compressed with xz"),
    **dict.fromkeys((".tar.zst", ".tzst"), f"{TAR}, compressed with zstd"),
    **dict.fromkeys((".tar.lzma", ".tlz"), f"{TAR}, compressed with lzma"),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".lzma"), "a compressed file"),
}
# First bytes of what comes in place of an archive.
_MAGICS = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF-", "a PDF document"),
    (b"!<arch>\n", "a Debian package"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
    (b"-----BEGIN PGP", "an armoured OpenPGP text"),
    (b"\x7fELF", "a program"),
    (b"<?xml", "an XML document"),
)
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))


def by_name(*names: str) -> frozenset[str]:
    """The kinds that file names or URLs promise; none of a name that promises nothing."""
    return frozenset(kind for name in names if (kind := _promised(name)))


def of_file(path: Path) -> str:
    """What a file is, with its article; a compressed one is looked into."""
    with path.open("rb") as file:
        start = file.read(_START)
    packed = compression(start)
    if not packed:
        return of_bytes(start)
    inner = peek(path, _START)
    if _is_tar(inner):
        return f"{TAR}, compressed with {packed}"
    again = compression(inner)
    if again:
        return f"a doubly compressed file ({again} within {packed})"
    return f"{of_bytes(inner)}, compressed with {packed}"


def of_bytes(start: bytes) -> str:
    """What a file with these first bytes is, with its article."""
    if not start:
        return "an empty file"
    if start.startswith(rpm.MAGIC):
        return RPM
    if _is_tar(start):
        return TAR
    plain = _as_utf8(start)
    html = _HTML.search(plain[:1024])
    if html:
        title = _TITLE.search(plain)
        return f"an HTML page{_quoted(title[1])}" if title else "an HTML page"
    known = next((what for magic, what in _MAGICS if plain.startswith(magic)), "")
    return known or _text(plain)


def is_compressed(kind: str) -> bool:
    """Whether a kind is any compressed file."""
    return "compressed with" in kind


def listed(kinds: Iterable[str]) -> str:
    """Kinds for a message."""
    return " or ".join(sorted(kinds))


def _promised(name: str) -> str:
    path = unquote(urlsplit(name).path) if "://" in name else name
    lower = path.lower()
    return next((kind for end, kind in _SUFFIXES.items() if lower.endswith(end)), "")


def _is_tar(start: bytes) -> bool:
    return start[_USTAR] == b"ustar"


def _as_utf8(start: bytes) -> bytes:
    """Text without its byte order mark, whatever its encoding is."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return start[len(mark) :].decode(encoding, "replace").encode()
    return start.lstrip()


def _text(start: bytes) -> str:
    # The last character may be cut.
    text = start[:1024].decode("utf-8", "replace").removesuffix("\ufffd")
    if "\ufffd" in text or not all(one.isprintable() or one in "\r\n\t" for one in text):
        return UNKNOWN
    return f"{'a JSON document' if text[:1] in ('{', '[') else 'a text'}{_quoted(start)}"


def _quoted(text: bytes) -> str:
    line = " ".join(text.decode("utf-8", "replace").split())
    short = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
    return f" ({answer(short)!r})" if line else ""
