"""Puts verdict and page beside a recording."""

from __future__ import annotations

from pathlib import Path

from builder.host.whole import write_whole
from builder.lab import verdict as verdicts
from builder.lab.judging import Judged
from builder.lab.page import html


def write(judged: Judged, folder: Path) -> None:
    """Write ``verdict.json`` and ``report.html``; what is there already is left alone."""
    page = html.render(judged, folder).encode()
    for name, data in ((verdicts.FILE, verdicts.encode(judged.verdict)), (html.PAGE, page)):
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data)
