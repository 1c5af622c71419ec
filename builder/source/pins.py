"""``specs/<profile>/sources.lock``: which bytes were fetched, so that the next fetch gets the same.

One table per source and variant, since Debian's tree of a release and upstream's may differ.  A pin
holds as long as the profile still names the variant and the file that it was made for, wherever the
bytes come from; other bytes than the pinned ones are refused.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from builder import names, toml
from builder import text as texts
from builder.digest import Digest, Size
from builder.errors import UsageError
from builder.host.paths import Project
from builder.host.whole import write_whole
from builder.shown import without_secrets
from builder.values import FileName, Line

_HEADER = """\
# What `invoke fetch` got and every later fetch must get.  Written by the builder; commit it.
# `invoke fetch --update` renews it.
"""
NEXT = ".next"
"""Ends the name of a pin that counts once profile.toml has moved to it (``invoke update``)."""
_HINT = "restore its last good version from git"
_BARE_KEY = re.compile(r"^[A-Za-z0-9_-]+$")


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bytes of one variant of a source.  ``size`` in bytes.

    ``verified``: by what they were when they were pinned; none if that was their first use.
    """

    file: FileName
    sha256: Digest
    size: Size
    url: Line
    date: datetime.date
    version: Line | None = None
    verified: Line | None = None


Pins = Mapping[str, Pin]  # by variant


class SourcesLock:
    """The lock file of one profile; may be shared by threads.

    Raises UsageError if the file is there but cannot be understood.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._tables = _load(path)

    def pins(self, name: str) -> Pins:
        """What is pinned for source ``name``, by variant."""
        return self._tables.get(name, {})

    def names(self) -> tuple[str, ...]:
        """The sources of which something is pinned."""
        return tuple(self._tables)

    def refuse(self, name: str, kind: str, key: str, cause: str) -> UsageError:
        """What is wrong with a pin, and on which line."""
        text = texts.read(self.path, hint=_HINT)
        place = f"{name}.{kind}.{key}"
        return toml.refuse(self.path, toml.line_of(text, place), f"{place}: {cause}", _HINT)

    def reload(self) -> None:
        """Read the file again: another process may have pinned meanwhile."""
        with self._guard:
            self._tables = _load(self.path)

    def record(
        self, name: str, variant: str, pin: Pin, *, only: Collection[str] | None = None
    ) -> None:
        """Pin ``pin`` and write the file; the caller keeps other processes out.

        A pin of the same bytes keeps its old date, so that the file does not change.  ``only``: the
        variants whose existing pins stay, all if not given.
        """
        with self._guard:
            before = _load(self.path)
            tables = {source: dict(pins) for source, pins in before.items()}
            pins = tables.setdefault(name, {})
            old = pins.get(variant)
            if old is None or msgspec.structs.replace(old, date=pin.date) != pin:
                pins[variant] = pin
            if only is not None:
                tables[name] = {one: pins[one] for one in pins if one in (*only, variant)}
            if tables == before:
                self._tables = tables
                return
            write_whole(self.path, _render(tables).encode(), alone=True)
            self._tables = tables

    def put(self, name: str, pins: Pins) -> None:
        """Replace all pins of source ``name`` with ``pins``, and write the file; as ``record``."""
        with self._guard:
            tables = {source: dict(pins) for source, pins in _load(self.path).items()}
            tables[name] = dict(pins)
            write_whole(self.path, _render(tables).encode(), alone=True)
            self._tables = tables


def open_lock(project: Project, profile: str) -> SourcesLock:
    """The ``sources.lock`` of a profile, empty if it has none yet."""
    return SourcesLock(project.specs / profile / "sources.lock")


def _load(path: Path) -> dict[str, dict[str, Pin]]:
    try:
        text = texts.read(path, hint=_HINT)
    except FileNotFoundError:
        return {}
    document = toml.parse(path, text, hint=_HINT)
    for name in document:
        if not names.is_name(name):
            cause = f"{names.shown(name)} is not the name of a source: {names.RULE}"
            raise toml.refuse(path, toml.line_of(text, name), cause, _HINT)
    return {
        name: {
            kind: msgspec.structs.replace(pin, url=_label(pin.url))
            for kind, pin in toml.convert_tables(path, text, pins, Pin, name, hint=_HINT).items()
        }
        for name, pins in document.items()
    }


def _label(url: str) -> str:
    """A location as ``Location.label`` has it: earlier versions pinned URLs with their queries."""
    place, mark, member = url.partition("#")
    return f"{without_secrets(place)}{mark}{member}"


def _render(tables: Mapping[str, Mapping[str, Pin]]) -> str:
    lines = [_HEADER]
    for name in sorted(tables):
        for kind in sorted(tables[name]):
            pin = tables[name][kind]
            lines.append(f"[{_key(name)}.{_key(kind)}]")
            lines.append(f"file = {_text(pin.file)}")
            lines.append(f"sha256 = {_text(pin.sha256)}")
            lines.append(f"size = {pin.size}")
            lines.append(f"url = {_text(pin.url)}")
            if pin.version is not None:
                lines.append(f"version = {_text(pin.version)}")
            if pin.verified is not None:
                lines.append(f"verified = {_text(pin.verified)}")
            lines.append(f"date = {pin.date.isoformat()}\n")
    return "\n".join(lines).rstrip("\n") + "\n"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, apart from DEL, which no file name here has.
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE_KEY.match(name) else _text(name)
