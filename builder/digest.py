"""SHA-256 digests as a type: anything else is refused where it is read, never used as a name.

Files that hold digests are read and written with the two hooks of this module (msgspec's
``dec_hook`` and ``enc_hook``), so that a complaint names the field.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import msgspec

T = TypeVar("T")

_FORM = re.compile("[0-9a-fA-F]{64}")

Size = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""A number of bytes that is read from a file: not negative, and possible as a file's size."""


class Digest(str):
    """A SHA-256 digest (FIPS 180-4) as 64 hexadecimal digits, in lower case whatever is given.

    Raises ValueError for anything else.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _FORM.fullmatch(text):
            raise ValueError(f"{text!r} is not a SHA-256 digest, which has 64 hexadecimal digits")
        return super().__new__(cls, text.lower())


def of_bytes(data: bytes) -> Digest:
    """The digest of bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def of_text(text: str) -> Digest:
    """The digest of a text in UTF-8."""
    return of_bytes(text.encode())


def of_file(path: Path) -> Digest:
    """The digest of a file's bytes."""
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def read_hook(kind: type[Any], value: Any) -> Any:
    """msgspec's ``dec_hook``: turns strings into digests; raises ValueError for anything else."""
    if kind is Digest and isinstance(value, str):
        return Digest(value)
    raise ValueError(f"{value!r} is not a SHA-256 digest, which is a string")


def write_hook(value: Any) -> Any:
    """msgspec's ``enc_hook``: digests and other kinds of text are written as plain strings."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in a file")


def encode(value: Any) -> bytes:
    """``value`` as JSON that people can read, too."""
    return msgspec.json.format(encode_short(value))


def encode_short(value: Any) -> bytes:
    """``value`` as JSON on one line."""
    return msgspec.json.encode(value, enc_hook=write_hook)


def decode(data: bytes, kind: type[T]) -> T:
    """What ``encode`` wrote.  Raises msgspec.DecodeError, which names the field.

    msgspec itself raises another error for strings that are not UTF-8 (RFC 8259, 8.1).
    """
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=read_hook)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"JSON is malformed: {error}") from error
