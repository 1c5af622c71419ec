"""What a file is that should be a patch and is none: named, so that nobody has to guess."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from builder.errors import PatchError

MARK = b"\xef\xbb\xbf"
"""UTF-8's byte-order mark (RFC 3629, section 6)."""
PASSED_MARK = "begins with a byte-order mark, which was passed over"
_HEADER = re.compile(rb"diff |--- |\+\+\+ |Index:|\*\*\* |@@ -")
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|\?xml)\b", re.IGNORECASE)
# File formats' first bytes: RFC 1952, the .xz specification, RFC 8878, PKWARE's APPNOTE.
_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_WIDE = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def refuse(path: Path, data: bytes) -> str:
    """What is odd about ``data`` but does no harm, in words; empty if nothing is.

    Raises PatchError if the bytes of ``path`` are no patch, in words that say what they are.
    """
    _refuse_packed(path, data)
    _refuse_wide(path, data)
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
            f"take it off: sed -i '1s/^\\xef\\xbb\\xbf//' {shlex.quote(str(path))}",
        )
    return PASSED_MARK


def _refuse_packed(path: Path, data: bytes) -> None:
    for magic, (kind, program) in _PACKED.items():
        if data.startswith(magic):
            raise PatchError(
                f"{path} is not a patch",
                f"it is compressed with {kind}",
                f"{program} {shlex.quote(str(path))} (and list the name that comes out)",
            )


def _refuse_wide(path: Path, data: bytes) -> None:
    code = next((name for mark, name in _WIDE.items() if data.startswith(mark)), "")
    if not code and re.match(rb"(?:[\t\n\r -~]\x00){4}|(?:\x00[\t\n\r -~]){4}", data):
        code = "UTF-16"
    if code:
        raise PatchError(
            f"{path} is not a patch",
            f"its text is {code}, which GNU patch does not read",
            f"iconv -f {code} -t UTF-8 {shlex.quote(str(path))} > utf8.patch"
            " (only if the files that it changes are not so themselves)",
        )
