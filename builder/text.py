"""Text files that people write: anything but UTF-8 is reported with file and line."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

from builder import names
from builder.errors import UsageError


def read(path: Path, *, hint: str = "") -> str:
    """The file's text, with line feeds as its only line ends.

    Raises UsageError with file and line for bytes that are not UTF-8 (RFC 3629), and as
    ``read_bytes``.
    """
    return decode(path, read_bytes(path), hint=hint)


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises UsageError for anything that is not a file, has no end or waits for a writer (folders,
    devices, pipes, sockets), and OSError.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError(
            f"{names.place_of(path)} is not a regular file",
            "it is a folder, a device, a pipe or a socket, or a link to one",
            f"ls -lL {shlex.quote(str(path))}",
        )
    return path.read_bytes()


def decode(path: Path, data: bytes, *, hint: str = "") -> str:
    """The text of ``data``, which are the bytes of ``path``.  Raises as ``read``."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        raise UsageError(
            f"{names.place_of(path)}:{line} is not UTF-8 text",
            f"byte {column} of that line is 0x{data[error.start]:02x}: {error.reason}",
            hint or f"if it is Latin-1: iconv -f ISO-8859-1 -t UTF-8 {shlex.quote(str(path))}",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
