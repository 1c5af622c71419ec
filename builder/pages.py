"""Templates of the reports: strict about what is missing, and safe for what is shown."""

from __future__ import annotations

import time
from pathlib import Path

import jinja2


def environment(folder: Path) -> jinja2.Environment:
    """Templates of ``folder``; a variable that does not exist is an error, text is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def moment(seconds: float) -> str:
    """A time, in seconds since the epoch, as people write it: ``2026-11-26 07:10 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
