"""Signatures beside a file, of the file itself or of the uncompressed tar.

kernel.org signs the uncompressed tar, so that all its compressed forms share one signature; see
https://www.kernel.org/signature.html.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from builder.archive.stream import CHUNK, open_stream
from builder.errors import VerificationError
from builder.source import openpgp
from builder.source.openpgp import BadSignature, Key, Signed

MOST = 1 << 16  # bytes of a signature, which has about 800
_GROWTH = 16  # times the largest accepted file: no source compresses better than that
_ENDS = (".sign", ".sig", ".asc", ".gpg")


def covers_plain(url: str, signature: str) -> bool:
    """Whether a signature is of the uncompressed file: ``x.tar.sign`` beside ``x.tar.xz``."""
    name, other = (unquote(urlsplit(one).path).rpartition("/")[2] for one in (url, signature))
    stem = next((other.removesuffix(end) for end in _ENDS if other.endswith(end)), other)
    return stem != name and Path(name).stem == stem


def verify(
    path: Path, file: str, signature: bytes, keys: Sequence[Key], *, plain: bool, max_bytes: int
) -> Signed:
    """Verify a file with a detached signature by one of ``keys``.

    ``plain``: the signature is of the decompressed file, which may have at most 16 times
    ``max_bytes``.  Raises VerificationError, and UsageError if a key's file is wrong.
    """
    try:
        data = openpgp.dearmoured(signature)
        with _plain(path, _GROWTH * max_bytes) if plain else path.open("rb") as signed:
            return openpgp.verify(data, signed, keys)
    except BadSignature as bad:
        what = "is signed by a key that is not accepted" if bad.stranger else "has a bad signature"
        listed = " or ".join(f"{key.fingerprint} ({key.path.name})" for key in keys)
        raise VerificationError(
            f"{file} {what}",
            f"its signature: {bad}\naccepted: {listed}",
            "get it from its author; do not build from this one",
        ) from bad


@contextmanager
def _plain(path: Path, most: int) -> Iterator[IO[bytes]]:
    """The decompressed bytes of a file, as a pipe.

    A reader that ends early ends the decompressor; the decompressor's error is raised afterwards.
    """
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def pump() -> None:
        try:
            with os.fdopen(writing, "wb", buffering=0) as pipe, open_stream(path, most) as opened:
                while data := opened[0].read(CHUNK):
                    pipe.write(data)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            yield pipe
    except BadSignature:
        thread.join()
        if failures and not isinstance(failures[0], BrokenPipeError):
            raise failures[0] from None
        raise
    finally:
        thread.join()
    if failures:
        raise failures[0]
