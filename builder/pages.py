"""Templates of the reports: strict about missing variables, safe for any text."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

LAYOUT = Path(__file__).parent / "layout"


def environment(folder: Path) -> jinja2.Environment:
    """Templates of ``folder``, and what all pages share.

    A variable that does not exist is an error.  Text is escaped.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, LAYOUT]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filters in (moment, duration, size, quoted, link, anchor):
        made.filters[filters.__name__] = filters
    return made


def moment(seconds: float) -> str:
    """A time, in seconds since the epoch, as people write it: ``2026-11-26 07:10 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def duration(seconds: float) -> str:
    """A duration, as ``3 min 20 s`` or ``12.3 s``."""
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{seconds:.1f} s"


def size(count: int) -> str:
    """A number of bytes for people (powers of ten)."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} B"


def quoted(text: str) -> Markup:
    """A hint for a page: text between backticks is a command."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def link(path: str) -> str:
    """A file's path as a relative reference (RFC 3986): never another site's, never a script."""
    steps = path.lstrip("/") if path.startswith("//") else path
    return quote(steps, safe="/")


def anchor(*names: str) -> str:
    """The id of a part of a page, made of names."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names)
