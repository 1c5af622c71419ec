"""What distcc says to distccd, as far as a job must be known to be whole (its ``doc/protocol-2``).

Everything is a token: four letters and a number of eight hexadecimal digits, with some followed by
so many bytes.  A job and its answer are read as a whole, and passed on as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MOST_SOURCE, MOST_OBJECT, MOST_WORDS = 64 << 20, 16 << 20, 1 << 20
"""Bytes of the largest preprocessed source, object, and output of a compiler that are passed on."""
_ARGUMENTS = 4096
_LONGEST = 128 << 10  # of one argument, Linux' own limit
_TOKEN = 12
_DIGITS = set(b"0123456789abcdef")
_VERSIONS = (1, 2)  # 2 compresses; 3 is pump mode


class BrokenTalk(Exception):
    """A peer sent what is no job of distcc, or no answer to one."""


class ByteSource(Protocol):
    """Where bytes come from: fewer than asked for only at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class JobAnswer:
    """``data``: all that the compiling side sent.  ``status``: of the compiler, as wait(2) has it.
    ``object``: the compiled object as it was sent, maybe compressed."""

    data: bytes
    status: int
    object: bytes


def read_job(stream: ByteSource) -> bytes | None:
    """A whole job; None if the peer ends before it.  Raises BrokenTalk."""
    head = stream.read(_TOKEN)
    if not head:
        return None
    parts = [head]
    version = _number(head, b"DIST")
    if version not in _VERSIONS:
        raise BrokenTalk(f"version {version} of the protocol")
    count = _count(stream, parts, b"ARGC", _ARGUMENTS)
    for _ in range(count):
        _bytes(stream, parts, b"ARGV", _LONGEST)
    _bytes(stream, parts, b"DOTI", MOST_SOURCE)
    return b"".join(parts)


def read_answer(stream: ByteSource) -> JobAnswer:
    """A whole answer.  Raises BrokenTalk, also if it ends early."""
    parts: list[bytes] = []
    _count(stream, parts, b"DONE", max(_VERSIONS))
    status = _count(stream, parts, b"STAT", 0xFFFF)
    _bytes(stream, parts, b"SERR", MOST_WORDS)
    _bytes(stream, parts, b"SOUT", MOST_WORDS)
    compiled = _bytes(stream, parts, b"DOTO", MOST_OBJECT)
    return JobAnswer(b"".join(parts), status, compiled)


def _count(stream: ByteSource, parts: list[bytes], name: bytes, most: int) -> int:
    """The number of a token, which is added to ``parts``."""
    head = _exactly(stream, _TOKEN)
    number = _number(head, name)
    if number > most:
        raise BrokenTalk(f"{name.decode()} has the number {number}, more than {most}")
    parts.append(head)
    return number


def _bytes(stream: ByteSource, parts: list[bytes], name: bytes, most: int) -> bytes:
    """The bytes behind a token; both are added to ``parts``."""
    found = _exactly(stream, _count(stream, parts, name, most))
    parts.append(found)
    return found


def _number(head: bytes, name: bytes) -> int:
    digits = head[len(name) :]
    if len(head) != _TOKEN or not head.startswith(name) or not set(digits) <= _DIGITS:
        raise BrokenTalk(f"{name.decode()} was expected")
    return int(digits, 16)


def _exactly(stream: ByteSource, size: int) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise BrokenTalk("it ended early")
    return found
