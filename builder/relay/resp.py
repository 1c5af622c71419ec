"""The protocol of Redis, version 2, as far as ccache needs it.

https://redis.io/docs/latest/develop/reference/protocol-spec/: a command is an array of bulk
strings, an answer is one value.
"""

from __future__ import annotations

from typing import Protocol

OK = b"+OK\r\n"
MOST_WORDS = 4
_OBJECT = 2  # the one word of a command that may be large, counted from 0
_LONGEST_WORD = 512
_LONGEST_LINE = 512


class ByteStream(Protocol):
    """A file or a connection."""

    def read(self, size: int, /) -> bytes:
        """As many bytes, fewer at the end."""

    def readline(self, size: int, /) -> bytes:
        """Up to a line feed, or as many bytes."""


class Malformed(Exception):
    """The peer does not speak the protocol, or says more than is taken."""


class Refused(Exception):
    """The server's answer is an error; its text is the server's."""


def command(*words: bytes) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n%s" % (len(words), b"".join(map(bulk, words)))


def bulk(data: bytes | None) -> bytes:
    """A bulk string as it is sent; None is the null string."""
    return b"$-1\r\n" if data is None else b"$%d\r\n%s\r\n" % (len(data), data)


def number(value: int) -> bytes:
    """An integer as it is sent."""
    return b":%d\r\n" % value


def error(words: str) -> bytes:
    """An error as it is sent."""
    return b"-ERR %s\r\n" % words.encode()


def read_command(stream: ByteStream, most: int) -> tuple[bytes, ...] | None:
    """The next command, None at the stream's end.

    Raises Malformed for anything else, and for an object of more than ``most`` bytes.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    count = _length(line, b"*")
    if not 0 < count <= MOST_WORDS:
        raise Malformed(f"a command of {count} words")
    words = []
    for place in range(count):
        limit = most if place == _OBJECT else min(most, _LONGEST_WORD)
        word = _string(stream, stream.readline(_LONGEST_LINE), limit)
        if word is None:
            raise Malformed("a command with a null string")
        words.append(word)
    return tuple(words)


def read_answer(stream: ByteStream, most: int) -> bytes | None:
    """The value of an answer: a bulk string, or the text of a simple string or a number.

    Raises Refused for an error, Malformed for anything else.
    """
    line = stream.readline(_LONGEST_LINE)
    if line.startswith(b"$"):
        return _string(stream, line, most)
    kind, text = line[:1], line[1:-2]
    if kind == b"-":  # of any length: nothing is read after it
        raise Refused(line[1:].decode(errors="replace").rstrip())
    if not line.endswith(b"\r\n"):
        raise Malformed("the connection ended in an answer")
    if kind in (b"+", b":"):
        return text
    raise Malformed("it does not answer as Redis does")


def _string(stream: ByteStream, line: bytes, most: int) -> bytes | None:
    length = _length(line, b"$")
    if length == -1:
        return None
    if not 0 <= length <= most:
        raise Malformed(f"a string of {length} bytes, and {most} is the limit")
    data = stream.read(length)  # without its end, so that a large one is not copied
    if len(data) != length or stream.read(2) != b"\r\n":
        raise Malformed("a string without its end")
    return data


def _length(line: bytes, kind: bytes) -> int:
    text = line[1:-2]
    if not line.startswith(kind) or not line.endswith(b"\r\n"):
        raise Malformed("it does not speak the protocol of Redis")
    if text == b"-1":
        return -1
    if not text.isdigit() or len(text) > 12:
        raise Malformed("a length that is no number")
    return int(text)
