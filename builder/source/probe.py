"""Checks whether a location answers, without downloading anything."""

from __future__ import annotations

import threading
from pathlib import Path

from builder.host import process
from builder.shown import answer
from builder.source import aptconf, revision

SECONDS = 10.0
_IN_MEMORY = ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")


def probe(url: str, project: Path, *, seconds: float = SECONDS, lists: Path | None = None) -> str:
    """What a location answers, in a line; raises OSError if it does not, within ``seconds``.

    ``lists``: the folder of the builder's own apt state.  Packages are looked for there, and in
    the host's lists where a fresh cache has none; nothing is refreshed.
    """
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in ("apt", "apt-source"):
        return _package(rest, lists, from_source=scheme == "apt-source")
    if scheme == "file":
        path = project / rest
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        return "is there"
    return _ask(scheme, url, seconds)


def _package(words: str, lists: Path | None, *, from_source: bool) -> str:
    name, _, version = words.partition("=")
    own = lists is not None and (lists / "refreshed").is_file()
    whose = "the builder's lists" if own else "the host's lists"
    configuration = ["-c", str(lists / aptconf.FILE)] if own and lists is not None else []
    show = ["showsrc", "--only-source", name] if from_source else ["madison", name]
    asked = process.run(["apt-cache", *configuration, *_IN_MEMORY, *show], timeout=SECONDS)
    read = (
        revision.of_sources(asked.text) if from_source else revision.of_packages(asked.text, name)
    )
    has = [one.version for one in read]
    if version in has or (has and not version):
        return f"{version or has[0]} is in {whose}"
    there = ", ".join(has) or f"no {name}"
    return f"is looked up when a build takes new lists from the mirror ({whose} have {there})"


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
