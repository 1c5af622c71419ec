"""What distcc says to distccd, as far as a job must be known to be whole (its ``doc/protocol-2``).

Everything is a token: four letters and a number of eight hexadecimal digits, with some followed by
so many bytes.  A job and its answer are read as a whole, and passed on as they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

MOST_SOURCE, MOST_OBJECT, MOST_WORDS = 64 << 20, 16 << 20, 1 << 20
"""Bytes of the largest preprocessed source, object, and output of a compiler that are passed on."""
ARGUMENTS, MOST_ARGUMENTS = 1024, 128 << 10
"""How many arguments a job may have, and bytes of all of them."""
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


class DistccCompiler(Protocol):
    """Does jobs of distcc."""

    def compile(self, job: bytes, seconds: float) -> JobAnswer:
        """Do one.  Raises WorkerFailed if there is no whole answer in time."""


def read_job(stream: ByteSource) -> bytes | None:
    """A whole job; None if the peer ends before it.  Raises BrokenTalk."""
    head = stream.read(_TOKEN)
    if not head:
        return None
    read = bytearray(head)
    version = _number(head, b"DIST")
    if version not in _VERSIONS:
        raise BrokenTalk(f"version {version} of the protocol")
    count = _count(stream, read, b"ARGC", ARGUMENTS)
    for _ in range(count):
        _bytes(stream, read, b"ARGV", MOST_ARGUMENTS - len(read))
    _bytes(stream, read, b"DOTI", MOST_SOURCE)
    return bytes(read)


def read_answer(stream: ByteSource) -> JobAnswer:
    """A whole answer.  Raises BrokenTalk, also if it ends early.

    An object without success, and success without an object, are no answer: distcc would take them
    for a success without an object.
    """
    read = bytearray()
    _count(stream, read, b"DONE", max(_VERSIONS))
    status = _count(stream, read, b"STAT", 0xFFFF)
    _bytes(stream, read, b"SERR", MOST_WORDS)
    _bytes(stream, read, b"SOUT", MOST_WORDS)
    compiled = _bytes(stream, read, b"DOTO", MOST_OBJECT)
    if bool(compiled) != (status == 0) or not (status == 0 or _is_failure(status)):
        raise BrokenTalk(f"status {status:#x} with an object of {len(compiled)} bytes")
    return JobAnswer(bytes(read), status, compiled)


def _is_failure(status: int) -> bool:
    """Whether a program that ended with this status (wait(2)) has failed."""
    return os.WIFSIGNALED(status) or (os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0)


def _count(stream: ByteSource, read: bytearray, name: bytes, most: int) -> int:
    """The number of a token, which is added to ``read``."""
    head = _exactly(stream, _TOKEN)
    number = _number(head, name)
    if number > most:
        raise BrokenTalk(f"{name.decode()} has the number {number}, more than {most}")
    read += head
    return number


def _bytes(stream: ByteSource, read: bytearray, name: bytes, most: int) -> bytes:
    """The bytes behind a token; both are added to ``read``."""
    found = _exactly(stream, _count(stream, read, name, most))
    read += found
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
