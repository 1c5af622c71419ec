"""Writes a move into the checkout so that a kill at any moment leaves it consistent.

Two files cannot be replaced at once.  So the lock first gets the new pins beside the old ones, then
profile.toml moves, then the old pins are removed.  Of two pins, the one for the file that
profile.toml names counts (see ``variant``), so every state between is consistent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from builder.errors import EnvironmentFailure
from builder.host.whole import aside, write_whole
from builder.profile.load import FILE_NAME
from builder.source.model import Source
from builder.source.pins import NEXT, Pin, Pins, SourcesLock


class Commit(msgspec.Struct, frozen=True):
    """``before`` and ``after``: the bytes of ``profile``.  ``pins``: the new ones by source."""

    profile: Path
    before: bytes
    after: bytes
    lock: SourcesLock
    pins: Mapping[str, Pins]

    def run(self) -> None:
        """All steps.  Raises EnvironmentFailure if the file has changed since it was read."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[str]:
        """Make one step after the other, and report each one when it is done."""
        if self.profile.read_bytes() != self.before:
            raise EnvironmentFailure(
                f"{self.profile} was changed while the update was tried",
                "what was tried is not what is there now",
                "run the same command again",
            )
        self.lock.reload()
        for name, pins in self.pins.items():
            old = {one: pin for one, pin in self.lock.pins(name).items() if not _is_next(one)}
            new = {f"{variant}{NEXT}": pin for variant, pin in pins.items()}
            self.lock.put(name, {**old, **new})
        yield "the new pins are beside the old ones"
        replace(self.profile, self.after)
        yield "profile.toml has moved"
        for name, pins in self.pins.items():
            self.lock.put(name, pins)
        yield "the old pins are gone"


def finish(lock: SourcesLock, load: Callable[[], Mapping[str, Source]]) -> None:
    """Finish what a killed command left in the lock and beside it.

    ``load`` reads profile.toml if needed.  The lock is read again: a command that was stopped while
    it wrote does not know how far it came.
    """
    lock.reload()
    for path in (lock.path, lock.path.with_name(FILE_NAME).resolve()):
        with contextlib.suppress(OSError):  # a checkout that nobody can write to
            aside(path).unlink(missing_ok=True)
    begun = {name: pins for name in lock.names() if any(map(_is_next, pins := lock.pins(name)))}
    sources = load() if begun else {}
    for name, pins in begun.items():
        if name in sources:
            lock.put(name, _settled(sources[name], pins))


def _settled(source: Source, pins: Pins) -> Pins:
    labels = {location.label for location in source.locations}
    new = {one.removesuffix(NEXT): pin for one, pin in pins.items() if _is_next(one)}
    old = {one: pin for one, pin in pins.items() if not _is_next(one)}

    def fits(pin: Pin) -> bool:
        return pin.file == source.file and pin.url in labels

    has_moved = any(map(fits, new.values())) and not any(map(fits, old.values()))
    return new if has_moved else old


def _is_next(variant: str) -> bool:
    return variant.endswith(NEXT)


def replace(path: Path, data: bytes) -> None:
    """Replace the bytes of a file in the checkout, whole or not at all; a link stays a link."""
    target = path.resolve()
    write_whole(target, data, mode=target.stat().st_mode & 0o7777, alone=True)
