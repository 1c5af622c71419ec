"""Downloads what a location serves to the cache's disk; nothing is judged here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from builder.archive.deb import extract_member
from builder.errors import UsageError
from builder.host.removal import remove
from builder.source import apt, detached, ftp, local, web
from builder.source.job import Job
from builder.source.limit import Limit, LocationFailed, RevisionGone
from builder.source.model import Location
from builder.source.reach import Reach
from builder.source.store import measure
from builder.source.transfer import Partial, Transfer
from builder.source.variant import Choice


@dataclass(frozen=True)
class Brought:
    """Bytes on the cache's disk, not judged yet.  ``resumed``: downloaded in several parts.

    ``hops``: the addresses that were requested for them, last the one that served them.
    ``signature``: the signature beside them at their location, if needed; if ``plain``, it is of
    the decompressed bytes.  ``verified``: what verified them on the way.
    """

    path: Path
    version: str | None = None
    resumed: bool = False
    hops: tuple[str, ...] = ()
    drop: Callable[[], None] | None = None
    signature: bytes = b""
    plain: bool = False
    verified: str = ""


def bring(job: Job, location: Location, choice: Choice, reach: Reach) -> Brought:
    if choice.is_barred(location):
        raise LocationFailed(f"variant {location.serves} is not pinned")
    if location.is_packaged:
        return _bring_packaged(job, location, choice)
    reach.demand(location.url)
    brought = _take_out(job, location, _download(job, location, location.url))
    if not choice.vouched(location):
        return brought
    plain = detached.covers_plain(location.url, location.signature)
    return replace(brought, signature=_bring_signature(job, location), plain=plain)


def _bring_signature(job: Job, location: Location) -> bytes:
    try:
        beside = _download(job, location, location.signature, detached.MOST)
    except LocationFailed as failure:
        raise LocationFailed(f"its signature: {failure}") from failure
    data = beside.path.read_bytes()
    discard(beside)
    return data


def _bring_packaged(job: Job, location: Location, choice: Choice) -> Brought:
    """The wanted revision of a package; if it is gone, any revision with the pinned content."""
    package = apt.parse(location.url, choice.version(location))
    client = _client(job, location)
    if package.version is None and not choice.known:
        return _take_out(job, location, _ask_apt(job, client, package))
    served = client.revisions(package, renew=job.update)
    if not served:  # apt says why
        return _take_out(job, location, _ask_apt(job, client, package))
    answers: list[str] = []
    failed: LocationFailed | None = None
    for one in choice.revisions(package, served):
        this = replace(package, version=one.version)
        try:
            brought = _take_out(job, location, _ask_apt(job, client, this))
        except LocationFailed as failure:  # it is listed but not served
            failed = failed or failure
            continue
        if one.version == package.version or measure(brought.path)[0] in choice.digests:
            return brought
        discard(brought)
        answers.append(f"; revision {one.version} has other content")
    if failed is not None:
        raise failed
    raise RevisionGone(package.name, package.version, served, "".join(answers))


def _take_out(job: Job, location: Location, brought: Brought) -> Brought:
    """Extract the location's member from a package."""
    if location.member is None:
        return brought
    inner = Partial.of(job.cache.partial, f"member {location.label}")
    size = extract_member(brought.path, location.member, inner.path, max_bytes=job.source.max_bytes)
    job.console.say(f"{job.source.name}: took {location.member} ({size} bytes) out of the package")
    discard(brought)
    return replace(brought, path=inner.path, drop=None)


def _download(job: Job, location: Location, url: str, most: int | None = None) -> Brought:
    """Download ``url``, the location's or its signature's; at most ``most`` bytes."""
    scheme = url.partition(":")[0].lower()
    if scheme == "file":
        return copy(job, local.locate(url, job.project.root), most)
    clients = {"https": web.download, "http": web.download, "ftp": ftp.download}
    client = clients.get(scheme)
    if client is None:
        raise UsageError(
            f"source {job.source.name}: no way to fetch {location.label}",
            f"the scheme {scheme!r} is none of apt, apt-source, https, http, ftp, file",
            "correct the location in profile.toml",
        )
    order = _order(job, url, most)
    came = client(order)
    return Brought(order.partial.path, resumed=came.parts, hops=came.hops, drop=order.partial.drop)


def _client(job: Job, location: Location) -> apt.Apt:
    folder = job.cache.partial / f"apt-{hashlib.sha256(location.label.encode()).hexdigest()[:16]}"
    limit = Limit(f"fetch of {job.source.file}", job.bounds.total, job.stop)
    return apt.Apt(job.cache.apt, job.cache.locks, folder, job.console, limit)


def _ask_apt(job: Job, client: apt.Apt, package: apt.Package) -> Brought:
    got = client.download(package, job.source.max_bytes, renew=job.update)
    return Brought(
        got.path,
        got.version,
        drop=lambda: remove(client.scratch, job.cache.partial),
        verified="by apt, against the archive's signed lists" if apt.verifies() else "",
    )


def copy(job: Job, origin: Path, most: int | None = None) -> Brought:
    order = _order(job, f"copy {origin}", most)
    local.copy(order, origin)
    return Brought(order.partial.path)


def _order(job: Job, url: str, most: int | None) -> Transfer:
    return Transfer(
        url=url,
        partial=Partial.of(job.cache.partial, url),
        max_bytes=most or job.source.max_bytes,
        bounds=job.bounds,
        label=job.source.file,
        console=job.console,
        limit=Limit(f"fetch of {job.source.file}", job.bounds.total, job.stop),
    )


def discard(brought: Brought) -> None:
    if brought.drop is not None:
        brought.drop()
    else:
        brought.path.unlink(missing_ok=True)
