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
from builder.remote import entry, pack, reading, signing
from builder.remote.entry import StageEntry
from builder.remote.exchange import StoreExchange
from builder.remote.keys import AcceptedKey
from builder.remote.reading import Unusable
from builder.remote.signing import Unsigned
from builder.version import version


class Unpackable(Exception):
    """An output is not for other machines.  Its text says why."""


@dataclass(frozen=True)
class Pusher:
    """``key``: the private key.  ``accept``: whose entries this machine uses, none if it only
    pushes.  ``scratch``: a folder of the run's own."""

    exchange: StoreExchange
    key: Path
    accept: tuple[AcceptedKey, ...]
    scratch: Path

    def push(self, done: Done, *, anew: bool) -> int | None:
        """Store an output; returns the archive's size, None if the store has it already.

        An entry that this machine would not use is replaced, with ``anew`` any other, too.  Raises
        Unpackable; LocationFailed with the store's answer; Unsigned, OSError, BuilderError.
        """
        listing = done.listing()
        fault = pack.fault(done.path, listing)
        if fault:
            raise Unpackable(fault)
        self.scratch.mkdir(parents=True, exist_ok=True)
        if not anew and self._is_there(done):
            return None
        archive = self.scratch / f"{folder_of(done.name)}.tar"
        try:
            pack.pack(done.path, listing, archive, self.exchange.stop)
            made = _entry(done, archive)
            manifest = encode(made)
            signed = self._sign(manifest)
            self._put_archive(made, archive, anew=anew)
        finally:
            remove(archive, self.scratch)
        self._put(entry.manifest(done.name, done.key), manifest)
        self._put(entry.signature(done.name, done.key), signed)
        return made.size

    def _is_there(self, done: Done) -> bool:
        """Whether the store has an entry that can be used, as far as that costs no download."""
        if not self.accept:
            return self.exchange.size(entry.signature(done.name, done.key)) is not None
        try:
            signed = reading.read(self.exchange, done.name, done.key, self.accept, self.scratch)
        except Unusable:
            return False
        if signed is None:
            return False
        path = entry.archive(done.name, signed.entry.sha256)
        return self.exchange.size(path) == signed.entry.size

    def _sign(self, manifest: bytes) -> bytes:
        signed = signing.sign(manifest, self.key)
        if self.accept:
            try:
                signing.verify(manifest, signed, self.accept, self.scratch)
            except Unsigned as fault:
                raise Unsigned(
                    f"machines with this configuration would not use it: {self.key} (sign) is "
                    "the key of none of those in accept"
                ) from fault
        return signed

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
