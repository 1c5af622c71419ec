"""What each stage was last run with, so that ``explain`` can say why it would run again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode
from builder.host.whole import write_whole
from builder.pipeline.digest import Input
from builder.pipeline.facts import NONE, Facts


class Entry(msgspec.Struct, frozen=True):
    """The last run of one stage: its key, inputs, duration in seconds, and its facts."""

    key: Digest
    inputs: dict[str, str]
    seconds: float
    facts: Facts = NONE


class InputChange(msgspec.Struct, frozen=True):
    """One input that differs: ``old`` or ``new`` is empty if it was not there."""

    name: str
    old: str
    new: str


class Ledger:
    """The last runs of one profile and flavour, in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()  # stages end in threads
        self._entries: dict[str, Entry] = {}
        if path.is_file():
            try:
                self._entries = decode(path.read_bytes(), dict[str, Entry])
            except msgspec.DecodeError:
                self._entries = {}  # only explanations are lost

    def last(self, stage: str) -> Entry | None:
        return self._entries.get(stage)

    def keys(self) -> dict[str, Digest]:
        """Every stage's last key."""
        return {stage: entry.key for stage, entry in self._entries.items()}

    def record(self, stage: str, entry: Entry) -> None:
        """Remember a run; the file is written at once."""
        with self._guard:
            if self._entries.get(stage) == entry:
                return
            self._entries[stage] = entry
            write_whole(self._path, encode(self._entries))


def compare(old: dict[str, str], new: Iterable[Input]) -> tuple[InputChange, ...]:
    """The inputs that were added, removed or changed, by name."""
    now = {entry.name: entry.value for entry in new}
    return tuple(
        InputChange(name, old.get(name, ""), now.get(name, ""))
        for name in sorted(old.keys() | now.keys())
        if old.get(name) != now.get(name)
    )
