"""The finished outputs of stages: complete or absent, and unchanged since their stages ran.

A stage writes into a scratch folder; when it succeeds, its manifest is written beside its output
and the folder is renamed into place.  A kill before the rename costs that stage and nothing else.

An output is checked against the digest of its listing before anything is made from it (``fault``).
Otherwise a look at inodes, modes, sizes and times is enough (``find``).  The manifest itself has
its digest beside it, ``stage.sha256``, and is checked against it each time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode, of_bytes
from builder.host.listing import Listing, Memory, read
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.host.whole import write_whole
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import Facts
from builder.pipeline.provenance import Provenance
from builder.pipeline.stage import LISTING, Damaged, Done, Manifest, OutputFile
from builder.pipeline.stagename import folder_of
from builder.pipeline.status import Status, look, unchanged

MANIFEST = "stage.json"
SEAL = "stage.sha256"
STATUS = "stage.status"
LOG = "stage.log"
OUTPUT = "output"
KEY_LENGTH = 20


class Store(msgspec.Struct, frozen=True):
    """Finished outputs of all stages, ``<cache>/stages/<stage>/<key>/``."""

    cache: Cache

    def folder(self, stage: str) -> Path:
        """All outputs of one stage."""
        return self.cache.stages / folder_of(stage)

    def place(self, stage: str, key: Digest) -> Path:
        return self.folder(stage) / key[:KEY_LENGTH]

    def find(self, stage: str, key: Digest, *, by_content: bool = False) -> Done | None:
        """The finished output for this key, None if there is none.

        Its files are not read if they look untouched.  Raises Damaged if they or its manifest
        have changed.
        """
        place = self.place(stage, key)
        found = _read_manifest(place)
        if found is None:
            return None
        manifest, sealed = found
        done = Done(stage, key, place / OUTPUT, True, manifest, by_content)
        if not sealed:
            raise Damaged(done, f"{MANIFEST} has changed")
        if (manifest.stage, manifest.key) != (stage, key):
            return None
        if not unchanged(done.path, _read_status(done)):
            self.require(done)
        return done

    def at(self, place: Path) -> Done | None:
        """The output in a folder of the store, even a damaged one; None without a manifest."""
        found = _read_manifest(place)
        if found is None:
            return None
        manifest, _ = found
        return Done(manifest.stage, manifest.key, place / OUTPUT, True, manifest)

    def fault(
        self, done: Done, *, stop: threading.Event | None = None, memory: Memory | None = None
    ) -> str:
        """Read a whole output and its records; returns what has changed, empty if nothing has."""
        fault = self._record_fault(done)
        if fault:
            return fault
        try:
            now = read(done.path, stop=stop, memory=memory)
        except OSError as error:
            return str(error)
        if now.digest != done.manifest.listing:
            return done.listing().difference(now)
        outputs = done.manifest.outputs
        if outputs and outputs != tuple(_files(done.path, now)):
            return f"the outputs in {MANIFEST} are not those of {LISTING}"
        return ""

    def _record_fault(self, done: Done) -> str:
        """What is wrong with an output's place, manifest or list of files; empty if nothing is."""
        place, manifest = done.path.parent, done.manifest
        if _read_manifest(place) != (manifest, True):
            return f"{MANIFEST} has changed"
        if place != self.place(manifest.stage, manifest.key):
            return f"it is an output of {manifest.stage} and belongs elsewhere"
        if manifest.key != digest.key(Input(*entry) for entry in manifest.inputs.items()):
            return f"the inputs in {MANIFEST} do not have the key in it"
        try:
            done.listing()
        except Damaged as damaged:
            return damaged.fault
        return ""

    def require(self, done: Done, *, stop: threading.Event | None = None) -> None:
        """Read a whole output.  Raises Damaged if it has changed."""
        fault = self.fault(done, stop=stop)
        if fault:
            raise Damaged(done, fault)
        status = _look(done.path, done.manifest)
        if status != _read_status(done):  # copied to another disk, or touched
            write_whole(done.path.parent / STATUS, encode(status))

    def set_aside(self, done: Done) -> Path:
        """Keep a damaged output for inspection, the last one of its stage; returns where."""
        kept = self.cache.aside / done.path.parent.parent.name
        self.cache.aside.mkdir(parents=True, exist_ok=True)
        remove(kept, self.cache.aside)
        with contextlib.suppress(FileNotFoundError):  # another run has done so
            done.path.parent.rename(kept)
        return kept

    def commit(
        self,
        stage: str,
        inputs: tuple[Input, ...],
        work: Path,
        *,
        listed: bool,
        by_content: bool,
        started: float,
        facts: Facts,
        log: Path,
        listing: Listing | None = None,
        provenance: Provenance | None = None,
        origins: Iterable[str] = (),
    ) -> Done:
        """Move the finished ``work / OUTPUT`` into place and return what it is.

        The log at ``log`` goes with it.  ``listing``: of the output, if it is known; otherwise
        all is read.  ``provenance``, ``origins``: see ``Manifest``.  The folder that another run
        may have put there in the meantime is replaced.
        """
        key = digest.key(inputs)
        listing = listing or read(work / OUTPUT)
        outputs = tuple(_files(work / OUTPUT, listing)) if listed else ()
        manifest = Manifest(
            stage=stage,
            key=key,
            inputs={entry.name: entry.value for entry in inputs},
            outputs=outputs,
            listing=listing.digest,
            started=started,
            seconds=time.time() - started,
            facts=facts,
            provenance=provenance,
            origins=tuple(sorted(set(origins))),
        )
        (work / LISTING).write_bytes(listing.encoded)
        (work / STATUS).write_bytes(encode(_look(work / OUTPUT, manifest)))
        text = encode(manifest)
        (work / MANIFEST).write_bytes(text)
        (work / SEAL).write_text(_seal(text), encoding="ascii")
        if log.is_file():
            shutil.copyfile(log, work / LOG)
        place = self.place(stage, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        _sync(work)  # a full disk may show only here: nothing has been removed yet
        remove(place, self.cache.stages)
        work.rename(place)
        return Done(stage, key, place / OUTPUT, False, manifest, by_content)


def _files(root: Path, listing: Listing) -> Iterator[OutputFile]:
    for name, sha256 in listing.files():
        yield OutputFile(name, (root / name).stat().st_size, sha256)


def _seal(text: bytes) -> str:
    """The line that sha256sum(1) writes for a manifest."""
    return f"{of_bytes(text)}  {MANIFEST}\n"


def _read_manifest(place: Path) -> tuple[Manifest, bool] | None:
    """A folder's manifest, and whether it is unchanged; None if it is not one, or is unsealed."""
    try:
        text = (place / MANIFEST).read_bytes()
        seal = (place / SEAL).read_bytes()
        return decode(text, Manifest), seal == _seal(text).encode()
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def _look(output: Path, manifest: Manifest) -> Status:
    """The status of an output: its files, or the top of a tree; and its list of files."""
    files = [entry.path for entry in manifest.outputs]
    names = files or sorted(path.name for path in output.iterdir())
    return look(output, (".", *names, f"../{LISTING}"))


def _read_status(done: Done) -> Status:
    try:
        return decode((done.path.parent / STATUS).read_bytes(), Status)
    except (OSError, msgspec.DecodeError):
        return {}


def _sync(folder: Path) -> None:
    """Bring the manifest to the disk before its folder gets its final name."""
    for path in (folder / MANIFEST, folder / SEAL, folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
