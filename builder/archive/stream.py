"""Read an archive from its decompressor: forwards only, in bounded memory."""

from __future__ import annotations

import fcntl
import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from builder.archive.member import DamagedArchive
from builder.errors import VerificationError
from builder.host import process

CHUNK = 1 << 20  # bytes; nothing larger is ever held at once
_PIPE = 1 << 20  # bytes; fewer wake-ups between the decompressor and us
_PADDING = 1 << 20  # bytes of zeros after an archive; GNU tar pads to 10 KiB by default
_HINT = "fetch it again (`invoke fetch --update` if it was replaced on purpose)"

# First bytes of a compressed file, its compression, the decompressor.  Its memory is limited,
# because the archive itself states how much the decompressor needs.
_DECOMPRESSORS: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\xfd7zXZ\x00", "xz", ("xz", "-dc", "-T0", "--memlimit-decompress=1GiB")),
    (b"\x1f\x8b", "gzip", ("gzip", "-dc")),
    (b"BZh", "bzip2", ("bzip2", "-dc")),
    (b"\x28\xb5\x2f\xfd", "zstd", ("zstd", "-dcq", "--memory=512MB")),
    # The format before xz has no magic: the usual properties, and the low byte of a large size.
    (b"\x5d\x00\x00", "lzma", ("xz", "-dc", "--format=lzma", "--memlimit-decompress=1GiB")),
)


class ForwardReader:
    """The decompressed bytes of an archive from a pipe or a file; seeking reads and discards.

    It returns at most ``limit`` bytes in total, and ``CHUNK`` at once, whatever a header claims.
    More raises DamagedArchive.
    """

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self._pipe = pipe
        self._limit = limit
        self._position = 0

    def tell(self) -> int:
        """Bytes read so far."""
        return self._position

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end of the data."""
        if size > CHUNK:
            raise DamagedArchive(f"a header of {size} bytes")
        data = self._pipe.read(size)
        self._position += len(data)
        if self._position > self._limit:
            raise DamagedArchive(f"more than {self._limit} bytes come out of it")
        return data

    def seek(self, position: int) -> None:
        """Read and discard bytes up to ``position``."""
        while self._position < position:
            if not self.read(min(CHUNK, position - self._position)):
                return

    def finish(self) -> None:
        """Read the padding after the archive, so that the decompressor checks its last checksum.

        Raises DamagedArchive for anything but a few zeros: a second archive, garbage, a bomb.
        """
        end = self._position
        while data := self.read(CHUNK):
            if data.strip(b"\0"):
                raise DamagedArchive(f"it continues after its end, which is at byte {end}")
            if self._position - end > _PADDING:
                raise DamagedArchive(f"more than {_PADDING} bytes of padding are after its end")


def _decompressor(archive: Path, offset: int) -> tuple[str, ...] | None:
    with archive.open("rb") as file:
        file.seek(offset)
        start = file.read(8)
    for magic, _, argv in _DECOMPRESSORS:
        if start.startswith(magic):
            tool = process.require_tool(argv[0], f"to unpack {archive.name}")
            return (tool, *argv[1:])
    return None


def compression(start: bytes) -> str:
    """The compression of a file that begins with ``start``; empty if unknown."""
    return next((name for magic, name, _ in _DECOMPRESSORS if start.startswith(magic)), "")


def peek(archive: Path, size: int) -> bytes:
    """The first ``size`` bytes of a file, decompressed if necessary; fewer if it is shorter."""
    argv = _decompressor(archive, 0)
    with archive.open("rb", buffering=0) as packed:
        if argv is None:
            return packed.read(size)
        with process.start(argv, stdin=packed) as decompressor:
            return _buffer(decompressor).read(size)


@contextmanager
def open_stream(
    archive: Path, limit: int, offset: int = 0
) -> Iterator[tuple[ForwardReader, IO[bytes]]]:
    """Open an archive that begins ``offset`` bytes into the file.

    It is plain or compressed with xz, lzma, gzip, bzip2 or zstd, as its first bytes show.  Yields
    a reader of at most ``limit`` decompressed bytes, and the compressed file; the file's position
    shows the progress.  Raises VerificationError with the decompressor's message if the archive
    is damaged, EnvironmentFailure if the decompressor is missing.
    """
    argv = _decompressor(archive, offset)
    with archive.open("rb", buffering=0) as packed:
        packed.seek(offset)
        if argv is None:
            with _told(archive, None), io.BufferedReader(packed, CHUNK) as buffered:
                yield ForwardReader(buffered, limit), packed
            return
        with process.start(argv, stdin=packed) as decompressor:
            with _told(archive, decompressor):
                yield ForwardReader(_buffer(decompressor), limit), packed
            _judge(archive, decompressor)


@contextmanager
def open_command(argv: tuple[str, ...], archive: Path, limit: int) -> Iterator[ForwardReader]:
    """Like ``open_stream`` for a tar that a program writes; it need not be read to its end."""
    with process.start(argv) as program, _told(archive, program):
        yield ForwardReader(_buffer(program), limit)


def _buffer(program: subprocess.Popen[bytes]) -> IO[bytes]:
    if program.stdout is None:
        raise ValueError("the program was started without a pipe")
    with suppress(OSError):  # the host's limit for pipes may be lower: slower, not wrong
        fcntl.fcntl(program.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
    return program.stdout


@contextmanager
def _told(archive: Path, program: subprocess.Popen[bytes] | None) -> Iterator[None]:
    """Turn DamagedArchive into VerificationError, with the program's own message if it has one."""
    try:
        yield
    except DamagedArchive as damage:
        words = _last_words(program) if program is not None else ""
        raise VerificationError(
            f"{archive.name} is damaged", words or f"not a whole archive: {damage}", _HINT
        ) from damage


def _last_words(program: subprocess.Popen[bytes]) -> str:
    """The error output of a program that exited by itself with a failure; else empty."""
    try:
        program.wait(1)
    except subprocess.TimeoutExpired:
        return ""
    if program.returncode <= 0 or program.stderr is None:
        return ""
    return program.stderr.read().decode(errors="replace").strip()


def _judge(archive: Path, program: subprocess.Popen[bytes]) -> None:
    program.wait()
    if program.returncode != 0:
        words = _last_words(program) or f"exit status {program.returncode}"
        raise VerificationError(f"{archive.name} is damaged", words, _HINT)
