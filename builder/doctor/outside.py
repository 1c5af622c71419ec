"""What is outside this host: the time, and the locations of sources."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path

from builder.doctor.finding import Finding, Status
from builder.errors import BuilderError
from builder.shown import answer, secrets_of, without_secrets

Probe = Callable[[str], str]
SKEW_SECONDS = 300.0
WORKERS = 8
DAY = 86400.0


def examine_clock(
    not_before: float, now: float | None = None, remote_date: str | None = None
) -> Finding:
    """The system's clock.  Times in seconds since 1970.

    ``not_before``: the date of something that already exists (newest commit or lock).
    ``remote_date``: the Date header of a server's recent answer (RFC 9110, 6.6.1), if any.
    """
    present = time.time() if now is None else now
    value = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(present))
    fix = "set the clock: timedatectl set-ntp true"
    command = ("timedatectl", "set-ntp", "true")
    if present + SKEW_SECONDS < not_before:
        made = time.strftime("%Y-%m-%d", time.gmtime(not_before))
        reason = f"this checkout was made on {made}; signatures and make need the true time"
        return Finding("clock", Status.FAILURE, value, reason, fix, command)
    try:
        there = parsedate_to_datetime(remote_date).timestamp() if remote_date else present
    except (ValueError, TypeError, IndexError, OverflowError):
        return Finding("clock", Status.WARNING, value, f"a server says {remote_date!r}", fix)
    if abs(there - present) > SKEW_SECONDS:
        reason = f"a server's clock says {remote_date}"
        bad = Status.FAILURE if abs(there - present) > DAY else Status.WARNING
        return Finding("clock", bad, value, reason, fix, command)
    return Finding("clock", Status.OK, value)


def newest(paths: Sequence[Path]) -> float:
    """When the newest of these files was changed, in seconds since 1970 (0 if none is there)."""
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def examine_sources(
    sources: Sequence[tuple[str, Sequence[str]]], probe: Probe
) -> Iterator[Finding]:
    """Each source with its locations: one that answers is enough.

    ``probe`` returns what a location answered and raises OSError or BuilderError if it
    does not.
    """
    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield from pool.map(lambda one: _examine_source(one[0], one[1], probe), sources)
    finally:
        # After an interrupt, do not wait for outstanding answers.
        pool.shutdown(wait=False, cancel_futures=True)


def _examine_source(name: str, urls: Sequence[str], probe: Probe) -> Finding:
    refusals: list[str] = []
    found = ""
    for url in urls:
        label = answer(without_secrets(url))
        try:
            found = found or f"{label} {probe(url)}".strip()
        except (OSError, BuilderError) as error:
            refusals.append(f"{label}: {answer(str(error), secrets_of(url))}")
    title, fix = f"source {name}", "look at the proxy settings, or put the file into sources/"
    if not found:
        reason = "\n".join(refusals) or "it has no location"
        return Finding(title, Status.FAILURE, "no location answers", reason, fix)
    if refusals:
        return Finding(title, Status.WARNING, found, "\n".join(refusals), fix)
    return Finding(title, Status.OK, found)
