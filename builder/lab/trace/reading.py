"""The judged files: pcap or pcapng, possibly gzipped, read from the start."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from builder.errors import UsageError
from builder.host import refusal
from builder.lab.capture import blocks, decoding, link, records
from builder.lab.capture.packet import Packet
from builder.lab.capture.record import Frame
from builder.lab.capture.records import Broken
from builder.names import shown

GZIP = b"\x1f\x8b"
ROOM = 1 << 18
"""Bytes that are read of a file at a time."""
HINT = "give pcap or pcapng files, as tcpdump -w writes them; they may be gzipped"


class SideCapture:
    """A capture of one side.  ``place``: its name in the report.  ``cut``: why it ends early,
    when it has been read.  ``frames``: how many there were."""

    def __init__(self, path: Path, place: str) -> None:
        self.path, self.place = path, place
        self.cut = ""
        self.frames = 0
        self._check()

    def packets(self) -> Iterator[Packet]:
        """All packets, up to where the file ends or is damaged."""
        return decoding.stream(self.place, self._frames())

    def _check(self) -> None:
        """Raises UsageError for a file that is not a capture."""
        if not self.path.is_file():
            cause = "it is not a file" if self.path.exists() else "there is no such file"
            raise self._refused(cause)
        try:
            with self._open() as stream:
                begin = stream.read(4)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._refused(f"it is not a whole gzip file: {error}") from None
        except OSError as error:
            raise refusal.told(error, f"cannot read {shown(str(self.path))}", HINT) from None
        if not begin:
            raise self._refused("it is empty")
        if begin != blocks.BEGIN and begin not in records.DIVISORS:
            raise self._refused("it does not begin as captures do")

    def _refused(self, cause: str) -> UsageError:
        return UsageError(f"the capture {shown(self.path.name)} cannot be judged", cause, HINT)

    def _frames(self) -> Iterator[Frame]:
        with self._open() as stream:
            begin = stream.read(4)
            read = blocks.read if begin == blocks.BEGIN else records.read
            try:
                for frame in read(stream, begin):
                    if frame.link not in link.READERS:
                        cause = f"its link type is {frame.link}, which is not known here"
                        raise self._refused(cause)
                    self.frames = frame.number
                    yield frame
            except (Broken, EOFError, gzip.BadGzipFile, zlib.error) as error:
                why = "it is truncated" if isinstance(error, EOFError) else str(error)
                self.cut = f"{why} behind packet {self.frames}"

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        with self.path.open("rb", buffering=ROOM) as stream:
            packed = stream.read(2) == GZIP
            stream.seek(0)
            if not packed:
                yield stream
                return
            with gzip.GzipFile(fileobj=stream) as content:
                yield cast(BinaryIO, content)


def recordings(outside: tuple[str, ...], inside: tuple[str, ...]) -> tuple[list[SideCapture], ...]:
    """The files of both sides; files of the same name get their folders into their names.

    Raises UsageError for a file that is not a capture, or is given twice.
    """
    paths = [Path(one) for one in (*outside, *inside)]
    if not paths:
        raise UsageError(
            "there is nothing to judge",
            "neither --outside nor --inside names a capture",
            "invoke judge --help",
        )
    seen: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real in seen:
            raise UsageError(
                f"the capture {shown(str(path))} is given twice",
                "one file is of one side",
                "leave one of both out",
            )
        seen.add(real)
    names = [path.name for path in paths]
    places = [str(path) if names.count(path.name) > 1 else path.name for path in paths]
    made = [SideCapture(path, place) for path, place in zip(paths, places, strict=True)]
    return made[: len(outside)], made[len(outside) :]
