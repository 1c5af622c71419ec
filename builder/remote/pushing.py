"""Pushes one output: the archive, then the manifest, and the signature last.

A push that is interrupted leaves files that nobody uses: an entry counts from its signature on.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from builder.digest import encode, of_file
from builder.errors import BuildError
from builder.host.removal import remove
from builder.pipeline.stage import Done
from builder.pipeline.stagename import folder_of
from builder.remote import entry, pack, signing
from builder.remote.entry import StageEntry
from builder.remote.exchange import StoreExchange
from builder.version import version


class Unpackable(Exception):
    """An output is not for other machines.  Its text says why."""


@dataclass(frozen=True)
class Pusher:
    """``key``: the private key.  ``scratch``: a folder of the run's own."""

    exchange: StoreExchange
    key: Path
    scratch: Path

    def push(self, done: Done, *, anew: bool) -> int | None:
        """Store an output; returns the archive's size, None if the store has it already.

        ``anew``: replace the entry that is there.  Raises Unpackable; LocationFailed with the
        store's answer; Unsigned, OSError, BuilderError.
        """
        listing = done.listing()
        fault = pack.fault(done.path, listing)
        if fault:
            raise Unpackable(fault)
        signature = entry.signature(done.name, done.key)
        if not anew and self.exchange.size(signature) is not None:
            return None
        self.scratch.mkdir(parents=True, exist_ok=True)
        archive = self.scratch / f"{folder_of(done.name)}.tar"
        try:
            pack.pack(done.path, listing, archive, self.exchange.stop)
            made = _entry(done, archive)
            manifest = encode(made)
            signed = signing.sign(manifest, self.key)
            self._put_archive(made, archive, anew=anew)
        finally:
            remove(archive, self.scratch)
        self._put(entry.manifest(done.name, done.key), manifest)
        self._put(signature, signed)
        return made.size

    def _put_archive(self, made: StageEntry, archive: Path, *, anew: bool) -> None:
        path = entry.archive(made.stage, made.sha256)
        if anew or self.exchange.size(path) != made.size:
            with archive.open("rb") as file:
                self.exchange.put(path, file, made.size)

    def _put(self, path: str, data: bytes) -> None:
        self.exchange.put(path, io.BytesIO(data), len(data))


def _entry(done: Done, archive: Path) -> StageEntry:
    manifest = done.manifest
    size = archive.stat().st_size
    if size > entry.MOST_ARCHIVE:
        raise BuildError(
            f"the archive of {done.name} is too large for the stage store",
            f"it has {size} bytes, and {entry.MOST_ARCHIVE} is the limit",
            "nothing to do: this stage is made by every machine itself",
        )
    return StageEntry(
        format=1,
        stage=done.name,
        key=done.key,
        size=size,
        sha256=of_file(archive),
        content=manifest.listing,
        builder=version(),
        made=manifest.started,
        seconds=manifest.seconds,
        facts=manifest.facts,
    )
