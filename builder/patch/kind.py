"""Names what a file is that should be a patch and is not, so that nobody has to guess."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from builder.errors import PatchError

MARK = b"\xef\xbb\xbf"
"""UTF-8's byte-order mark (RFC 3629, section 6)."""
PASSED_MARK = "begins with a byte-order mark, which was passed over"
# What GNU patch would miss: a name, or what only git's lines say.
_HEADER = re.compile(
    rb"--- |\+\+\+ |Index:|\*\*\* |@@ -"
    rb"|diff --git .*\n(?:index .*\n|similarity .*\n)*(?:old|new|deleted|rename|copy) "
)
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|\?xml)\b", re.IGNORECASE)
_BARE_WIDE = re.compile(rb"((?:[\t\n\r -~]\x00){4})|(?:\x00[\t\n\r -~]){4}")
_ENCODING = re.compile(
    rb"^Content-Transfer-Encoding:[ \t]*(base64|quoted-printable)[ \t]*\r?$", re.I | re.M
)
_BEGUN = re.compile(rb"^(?:--- \S|diff --git |Index: |@@ -)", re.M)
_ESCAPE = re.compile(rb"=(?:[0-9A-F]{2}|[ \t]*\r?\n)")
# File formats' first bytes: RFC 1952, the .xz specification, RFC 8878, PKWARE's APPNOTE.
_PACKED = {
    b"\x1f\x8b": ("gzip", "gzip -dc"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"BZh": ("bzip2", "bzip2 -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"PK\x03\x04": ("zip", "funzip"),
}
_WIDE = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def refuse(path: Path, data: bytes) -> str:
    """What is odd about ``data`` but does no harm, in words; empty if nothing is.

    Raises PatchError if the bytes of ``path`` are not a patch; the error says what they are.
    """
    _refuse_packed(path, data)
    _refuse_wide(path, data)
    _refuse_encoded(path, data)
    text = data.removeprefix(MARK)
    if _PAGE.match(text):
        raise PatchError(
            f"{path} is not a patch",
            "it is an HTML page: what a web server showed in place of the patch",
            "get the patch itself (the web page's link for the raw or plain file)",
        )
    if text is data or len(text) == len(data):
        return ""
    if _HEADER.match(text):
        raise PatchError(
            f"{path}:1: malformed patch",
            "it begins with a byte-order mark, behind which GNU patch does not see the header",
            f"remove it:\nsed -i '1s/^\\xef\\xbb\\xbf//' {shlex.quote(str(path))}",
        )
    return PASSED_MARK


def _refuse_packed(path: Path, data: bytes) -> None:
    for magic, (kind, command) in _PACKED.items():
        if data.startswith(magic):
            raise PatchError(
                f"{path} is not a patch", f"it is compressed with {kind}", _renew(path, command)
            )


def _refuse_wide(path: Path, data: bytes) -> None:
    code = next((name for mark, name in _WIDE.items() if data.startswith(mark)), "")
    found = None if code else _BARE_WIDE.match(data)
    if found is not None:
        code = "UTF-16LE" if found[1] else "UTF-16BE"
    if code:
        raise PatchError(
            f"{path} is not a patch",
            f"its text is {code}, which GNU patch does not read",
            _renew(path, f"iconv -f {code} -t UTF-8"),
        )


def _refuse_encoded(path: Path, data: bytes) -> None:
    """Refuse an encoded mail (RFC 2045, 6.7 and 6.8): GNU patch would take ``=3D`` for text."""
    begun = _BEGUN.search(data)
    said = _ENCODING.search(data, 0, begun.start() if begun else len(data))
    if said is None:
        return
    kind = said[1].decode().lower()
    signs = data[begun.start() :].count(b"=") if begun else 0
    escapes = len(_ESCAPE.findall(data, begun.start())) if begun else 0
    encoded = begun is None if kind == "base64" else 0 < signs == escapes
    if encoded:
        new = path.with_name(f"{path.name}.new")
        command = f"git mailinfo /dev/null {shlex.quote(str(new))} < {shlex.quote(str(path))}"
        raise PatchError(
            f"{path} is not a patch",
            f"it is a mail that is still encoded ({kind})",
            f"make a readable file of it, and use that one:\n{command}",
        )


def _renew(path: Path, command: str) -> str:
    """Advice to make a readable file with ``command`` and to use it."""
    packed = path.suffix in (".gz", ".xz", ".bz2", ".zst", ".zip")
    target = path.with_suffix("") if packed else path.with_name(f"{path.name}.new")
    source, made = (shlex.quote(str(one)) for one in (path, target))
    return f"make a readable file of it, and use that one:\n{command} < {source} > {made}"
