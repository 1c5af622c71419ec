"""Asks whether a location answers, without taking anything from it."""

from __future__ import annotations

import threading
from pathlib import Path

from builder.host import process
from builder.shown import answer

SECONDS = 10.0


def probe(url: str, project: Path, *, seconds: float = SECONDS) -> str:
    """What a location answers, in a line; raises OSError if it does not, within ``seconds``.

    Packages are asked of the host's own lists, which a fresh host does not have yet.
    """
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in ("apt", "apt-source"):
        return _package(rest)
    if scheme == "file":
        path = project / rest
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        return "is there"
    return _ask(scheme, url, seconds)


def _package(words: str) -> str:
    name = words.partition("=")[0]
    asked = process.run(["apt-cache", "policy", name], timeout=SECONDS)
    found = [line.strip() for line in asked.text.splitlines() if "Candidate:" in line]
    if not found:
        return "not in the host's lists; the builder refreshes lists of its own"
    return found[0]


def _ask(scheme: str, url: str, seconds: float) -> str:
    # Slow to import, and not needed where all is local.
    from builder.source import ftp, web  # noqa: PLC0415
    from builder.source.limit import Limit, LocationFailed  # noqa: PLC0415
    from builder.source.transfer import secrets_for  # noqa: PLC0415

    limit = Limit(f"look at {answer(url)}", seconds, threading.Event())
    secrets = secrets_for(url)
    try:
        told = ftp.ask(url, limit) if scheme == "ftp" else web.ask(url, limit)
    except LocationFailed as failure:
        raise OSError(answer(str(failure), secrets)) from failure
    return answer(told, secrets)
