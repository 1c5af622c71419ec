"""Digests of rendered specs, kept between runs: Jinja and its templates take a tenth of a second.

A digest holds for the variables, the text of every template that was loaded, the code that renders
and the installed Jinja.  Where one of these differs, the spec is rendered again.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode, of_text
from builder.host.whole import write_whole
from builder.rpm import spec
from builder.rpm.spec import SpecContext

MOST = 400
"""Entries of the file: a few profiles with their flavours and bases, and their last changes."""


class Rendering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``templates``: digests of the templates' texts by name, None for one that did not exist."""

    templates: dict[str, Digest | None]
    sha256: Digest


class RenderedSpecs:
    """What is known of specs; ``memo``: the file that keeps it."""

    def __init__(self, memo: Path) -> None:
        self._memo = memo
        self._guard = threading.Lock()
        self._new: dict[str, Rendering] = {}
        try:
            self._known = decode(memo.read_bytes(), dict[str, Rendering])
        except (OSError, msgspec.DecodeError):
            self._known = {}  # all are rendered again

    def digest(self, specs: Path, context: SpecContext, code: Digest) -> Digest:
        """The digest of a component's spec; ``code``: of the modules that render it.

        Raises UsageError as ``spec.render`` does.
        """
        parts = (spec.variables(context), str(specs), code, _jinja())
        key = of_text(json.dumps(parts, sort_keys=True))
        with self._guard:
            known = self._known.get(key)
            if known is None or not _holds(known, specs):
                known = self._new[key] = _rendered(specs, context)
                self._known[key] = known
            return known.sha256

    def keep(self) -> None:
        """Write down what was found, if there is anything new."""
        with self._guard:
            if self._new:
                self._known = {**self._known, **self._new}
                newest = list(self._known.items())[-MOST:]
                write_whole(self._memo, encode(dict(newest)))
                self._new = {}


def _holds(known: Rendering, specs: Path) -> bool:
    return all(
        _digest(spec.template(specs, name)) == sha256 for name, sha256 in known.templates.items()
    )


def _digest(text: str | None) -> Digest | None:
    return None if text is None else of_text(text)


def _rendered(specs: Path, context: SpecContext) -> Rendering:
    templates: dict[str, Digest | None] = {}

    def loaded(name: str, text: str | None) -> None:
        templates[name] = _digest(text)

    return Rendering(templates, of_text(spec.render(specs, context, loaded)))


def _jinja() -> str:
    """The installed Jinja, without loading it: where it is, and when it was installed."""
    found = importlib.util.find_spec("jinja2")
    if found is None or found.origin is None:
        return ""
    status = Path(found.origin).stat()
    return f"{found.origin} {status.st_size} {status.st_mtime_ns}"
