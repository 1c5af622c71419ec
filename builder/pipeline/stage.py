"""What a stage is: named inputs, and a function that fills an output folder.

A stage gets values and paths and returns nothing but its output; it calls no other stage.  Its key
is the digest of its inputs, among them the keys of the stages it needs, so it is known without
running anything whether it must run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from builder.digest import Digest, Size, of_bytes
from builder.errors import VerificationError
from builder.host.listing import Listing
from builder.pipeline.digest import Input
from builder.pipeline.facts import NONE, Facts
from builder.pipeline.provenance import Provenance

LISTING = "stage.files"
COMPILER_CACHE = "compiler-cache"
"""The origin of what may have objects in it that a team's compiler cache had."""
WORKERS = "workers"
"""The origin of what may have objects in it that workers have compiled."""
OBJECTS = frozenset({COMPILER_CACHE, WORKERS})
"""The origins that are about single objects."""

F = TypeVar("F", bound=Facts)


class OutputFile(msgspec.Struct, frozen=True):
    """One file that a stage put out: path below its folder, size in bytes, SHA-256."""

    path: str
    size: Size
    sha256: Digest

    def __post_init__(self) -> None:
        if self.path.startswith("/") or ".." in self.path.split("/"):
            raise ValueError(f"{self.path!r} leads out of the folder")


class Manifest(msgspec.Struct, frozen=True):
    """What a finished stage was made from, and its output (``stage.json``).

    ``started``: seconds since the epoch.  ``seconds``: how long it ran.  ``cpu_seconds``: of the
    container's or the programs' processors, where known.  ``outputs``: every file, or none for
    folders too large to list here (trees).  ``listing``: the digest of the file ``stage.files``
    beside it, which lists the whole output.  ``provenance``: where it was made, if not here; the
    times are then those of the transfer.  ``origins``: fingerprints of the keys that vouch for what
    other machines have made of it, or of what it was made from, and of ``OBJECTS``.
    """

    stage: str
    key: Digest
    inputs: dict[str, str]
    outputs: tuple[OutputFile, ...]
    listing: Digest
    started: float
    seconds: float
    facts: Facts = NONE
    provenance: Provenance | None = None
    origins: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True):
    """A stage that is settled, by running it or because nothing had changed.

    ``path``: its output folder.  ``hit``: it was not run.
    """

    name: str
    key: Digest
    path: Path
    hit: bool
    manifest: Manifest
    by_content: bool = False

    @property
    def content(self) -> Digest:
        """Digest of the output: names, kinds, permissions and contents."""
        return self.manifest.listing

    def facts(self, kind: type[F]) -> F:
        """What the stage told; ``kind`` is what stages of its kind tell."""
        found = self.manifest.facts
        if not isinstance(found, kind):
            raise TypeError(f"{self.name} has {type(found).__name__}, not {kind.__name__}")
        return found

    def listing(self) -> Listing:
        """The output's listing from when it ran.  Raises Damaged if that is not known any more."""
        try:
            data = (self.path.parent / LISTING).read_bytes()
        except OSError as error:
            raise Damaged(self, f"its list of files cannot be read: {error}") from error
        if of_bytes(data) != self.manifest.listing:
            raise Damaged(self, "its list of files has changed")
        return Listing.decode(data)


class Damaged(VerificationError):
    """A finished output is not what came out when the stage ran: ``fault`` says what differs."""

    def __init__(self, done: Done, fault: str) -> None:
        super().__init__(
            f"the finished output of {done.name} in the cache has changed",
            f"{done.path}: {fault}",
            "run: invoke verify --fix\nand then the same command again: it makes the output anew",
        )
        self.done = done
        self.fault = fault


class Work(msgspec.Struct, frozen=True):
    """What a running stage is given.

    ``output``: the folder to fill; it appears in the store as a whole or not at all.  ``scratch``:
    thrown away after success.  ``log``: the stage's log file.  ``needs``: the stages it asked for,
    by name.  ``note``: keeps its facts for the manifest.  ``stop`` is set when the run is being
    stopped.  ``state``: accepts the listing of the whole output from a stage that knows it, so that
    the output need not be read again.  ``owe``: notes an origin of the output (see ``Manifest``).
    """

    output: Path
    scratch: Path
    log: Path
    needs: Mapping[str, Done]
    note: Callable[[Facts], None]
    stop: threading.Event
    state: Callable[[Listing], None]
    owe: Callable[[str], None]


class Stage(msgspec.Struct, frozen=True):
    """One step with declared inputs and outputs.

    ``inputs`` is called when the stages in ``needs`` are settled; it must be quick and must not
    need the network or an engine.  ``listed``: its output files are listed with digests in the
    manifest.  ``slot``: it computes, so it takes a share of the job budget.  ``by_content``: stages
    that need it depend on its output, not on its inputs (a source that one of several locations
    served, a tree that another version of the builder unpacked).  ``late``: its inputs are read
    again after it has run, because it settles some itself.  ``carries``: needs whose files it takes
    over by hard links, unread, and lists with the digests that they had: whoever reads those files
    finds out whether they still have them.  All other needs are checked against their digests
    before it runs.  ``check``: raises if this host cannot run it; called before the first stage of
    a run starts, if this stage may have to run.  ``remark``: what ``explain`` adds if it need not
    run.  ``objects``: how many files it compiles, as far as that is known before it has ever run.
    ``guess``: the seconds that it takes where it has never run, None if all of its kind are alike.
    ``shared``: its output may come from another machine, and is offered to others; ``check`` is
    called once it has to run here.
    """

    name: str
    needs: tuple[str, ...]
    inputs: Callable[[], tuple[Input, ...]]
    run: Callable[[Work], None]
    listed: bool = True
    slot: bool = True
    by_content: bool = False
    late: bool = False
    carries: tuple[str, ...] = ()
    check: Callable[[], None] = lambda: None
    remark: Callable[[Done], str] = lambda done: ""
    objects: int = 0
    guess: Callable[[], float] | None = None
    shared: bool = False
