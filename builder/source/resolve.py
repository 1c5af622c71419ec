"""A source that is not in the cache: try its places in order, verify, pin, keep."""

from __future__ import annotations

import datetime
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.archive import extract_member
from builder.digest import Digest
from builder.errors import SourceUnreachable, UsageError, VerificationError
from builder.host import ci
from builder.host.lock import hold
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.shown import without_secrets
from builder.source import apt, dropin, ftp, judgement, kind, local, web
from builder.source.expected import Expected
from builder.source.judgement import Contents
from builder.source.known import (
    DROPIN,
    dropin_label,
    find_sound,
    profile_digest,
    require_signature,
    require_sizes,
    valid_pins,
)
from builder.source.limit import Limit, LocationFailed
from builder.source.lock import Pin, SourcesLock
from builder.source.model import Bounds, Fetched, Location, Source
from builder.source.reach import Reach
from builder.source.store import Damage, adopt, measure, set_aside
from builder.source.transfer import Partial, Transfer

if TYPE_CHECKING:
    from builder.console import Console


@dataclass(frozen=True)
class Job:
    """One source to be fetched, with all that this takes (see ``fetch.fetch``).

    ``damages``: what the cache had of it, and was put aside.
    """

    source: Source
    cache: Cache
    project: Project
    lock: SourcesLock
    console: Console
    locked: bool
    update: bool
    bounds: Bounds
    stop: threading.Event
    damages: tuple[Damage, ...] = ()
    expected: Expected = field(default_factory=Expected)

    @property
    def pins(self) -> dict[str, Pin]:
        """The pins to be held to: none of them while updating."""
        return {} if self.update else valid_pins(self.source, self.lock)


@dataclass(frozen=True)
class _Place:
    """Where to look; ``allowed``: the digests that may come from there, none if unknown."""

    kind: str
    label: str
    allowed: frozenset[Digest]
    bring: Callable[[], _Brought]


@dataclass(frozen=True)
class _Brought:
    """Bytes on the cache's disk, not judged yet.  ``resumed``: got in several parts.

    ``hops``: the addresses that were asked for them, the one that served them last.
    """

    path: Path
    version: str | None = None
    resumed: bool = False
    hops: tuple[str, ...] = ()
    drop: Callable[[], None] | None = None


def resolve(job: Job) -> Fetched:
    """Get the source from the first place that serves it (see ``fetch.fetch``)."""
    if job.locked and job.update:
        raise UsageError(
            "--locked and --update exclude each other",
            "one forbids what the other is for",
            "leave one of them out",
        )
    key = hashlib.sha256(repr(job.source).encode()).hexdigest()[:16]
    what = f"fetch of {job.source.name}"
    place = job.cache.lock(f"source-{job.source.name}-{key}")
    with hold(place, what, job.console, stop=job.stop):
        if not job.update:
            job.lock.reload()
            brought = dropin.require(job.source, job.project, job.lock)
            sound, damages = find_sound(job.source, cache=job.cache, lock=job.lock)
            job = replace(job, damages=(*job.damages, *damages))
            found = dropin.prefer(job.source, brought, sound)
            if found is not None:
                require_signature(job.source, found.path, job.lock)
                return found
        return _try_places(job)


def _try_places(job: Job) -> Fetched:
    places = _places(job)
    if job.locked and not any(place.allowed for place in places):
        raise _unpinned(job, "no digest of it is known")
    answers: list[tuple[str, str]] = []
    for place in places:
        try:
            job.console.say(f"{job.source.name}: from {place.label}")
            key = hashlib.sha256(place.label.encode()).hexdigest()[:16]
            # Another source may name the same place: its partial file is one at a time's.
            path = job.cache.lock(f"place-{key}")
            with hold(path, place.label, job.console, stop=job.stop):
                return _accept(job, place, place.bring())
        except LocationFailed as failure:
            answers.append((place.label, str(failure)))
            job.console.say(f"{place.label}: {failure}")
        except VerificationError as error:
            before = [f"{label}, asked before: {answer}" for label, answer in answers]
            raise VerificationError(
                error.what, "\n".join((error.cause, *before)), error.hint
            ) from error
    raise _unreachable(job, places, answers)


def _places(job: Job) -> list[_Place]:
    pins = job.pins
    urls = [location.url for location in job.source.locations]
    reach = Reach(urls, job.bounds.reach, job.stop)
    everything = frozenset(
        digest
        for digest in (
            job.source.sha256,
            *(location.sha256 for location in job.source.locations),
            *(pin.sha256 for pin in pins.values()),
        )
        if digest
    )
    places = [
        _Place(
            location.kind,
            location.label,
            _allowed(job, location, pins),
            lambda location=location: _bring(job, location, reach),  # type: ignore[misc]
        )
        for location in job.source.locations
    ]
    dropped = job.project.dropin / job.source.file
    if dropped.is_file():
        label = dropin_label(job.source)
        places.insert(0, _Place(DROPIN, label, everything, lambda: _copy(job, dropped)))
    return places


def _allowed(job: Job, location: Location, pins: dict[str, Pin]) -> frozenset[Digest]:
    digest = profile_digest(job.source, location)
    if digest is None:
        pin = pins.get(location.kind)
        digest = pin.sha256 if pin else None
    if digest is not None:
        return frozenset({digest})
    # What is pinned for another kind of location is no less trusted for coming from here, and
    # under --locked it is all that may come.
    return frozenset(pin.sha256 for pin in pins.values()) if job.locked else frozenset()


def _bring(job: Job, location: Location, reach: Reach) -> _Brought:
    reach.demand(location.url)
    brought = _download(job, location)
    if location.member is None:
        return brought
    inner = Partial.of(job.cache.partial, f"member {location.label}")
    size = extract_member(brought.path, location.member, inner.path, max_bytes=job.source.max_bytes)
    job.console.say(f"{job.source.name}: took {location.member} ({size} bytes) out of the package")
    _discard(brought)
    return _Brought(inner.path, brought.version, hops=brought.hops)


def _download(job: Job, location: Location) -> _Brought:
    if location.kind in ("apt", "apt-source"):
        return _ask_apt(job, location)
    if location.scheme == "file":
        return _copy(job, local.locate(location.url, job.project.root))
    clients = {"https": web.download, "http": web.download, "ftp": ftp.download}
    client = clients.get(location.scheme)
    if client is None:
        raise UsageError(
            f"source {job.source.name}: no way to fetch {location.label}",
            f"the scheme {location.scheme!r} is none of apt, apt-source, https, http, ftp, file",
            "correct the location in profile.toml",
        )
    order = _order(job, location.url)
    came = client(order)
    return _Brought(order.partial.path, resumed=came.parts, hops=came.hops, drop=order.partial.drop)


def _ask_apt(job: Job, location: Location) -> _Brought:
    pin = job.pins.get(location.kind)
    package = apt.parse(location.url, pin.version if pin else None)
    folder = job.cache.partial / f"apt-{hashlib.sha256(location.label.encode()).hexdigest()[:16]}"
    limit = Limit(f"fetch of {job.source.file}", job.bounds.total, job.stop)
    client = apt.Apt(job.cache.apt, job.cache.locks, folder, job.console, limit)
    try:
        got = client.download(package, job.source.max_bytes, renew=job.update)
    except LocationFailed as failure:
        if package.version is None or job.locked:
            raise
        raise LocationFailed(
            f"{failure} (that version is pinned; `invoke fetch --update` takes a newer one)"
        ) from failure
    return _Brought(got.path, got.version, drop=lambda: remove(folder, job.cache.partial))


def _copy(job: Job, origin: Path) -> _Brought:
    order = _order(job, f"copy {origin}")
    local.copy(order, origin)
    return _Brought(order.partial.path)


def _order(job: Job, url: str) -> Transfer:
    return Transfer(
        url=url,
        partial=Partial.of(job.cache.partial, url),
        max_bytes=job.source.max_bytes,
        bounds=job.bounds,
        label=job.source.file,
        console=job.console,
        limit=Limit(f"fetch of {job.source.file}", job.bounds.total, job.stop),
    )


def _discard(brought: _Brought) -> None:
    if brought.drop is not None:
        brought.drop()
    else:
        brought.path.unlink(missing_ok=True)


def _accept(job: Job, place: _Place, brought: _Brought, *, last: bool = False) -> Fetched:
    sha256, size = measure(brought.path)
    contents: Contents | None = None
    refusal: VerificationError | LocationFailed | None
    try:
        contents = None if place.allowed else _judge(job, place, brought)
        refusal = _refusal(job, place, brought, sha256)
    except LocationFailed as failure:
        refusal = failure
    if refusal is not None:
        if brought.resumed and not last:
            # The first part may be of a file that has changed since: whole and anew, once.
            _discard(brought)
            job.console.say(f"{place.label}: its parts do not fit, restarting the download")
            return _accept(job, place, place.bring(), last=True)
        kept = set_aside(job.cache, brought.path, sha256, job.source.file)
        _discard(brought)
        if isinstance(refusal, LocationFailed):
            raise LocationFailed(f"{refusal}; kept as {kept}")
        raise VerificationError(refusal.what, f"{refusal.cause}\nkept as {kept}", refusal.hint)
    path = adopt(job.cache, brought.path, sha256)
    _discard(brought)
    if not job.update:
        require_sizes(job.lock, job.cache, job.source.name)
    pin = Pin(
        file=job.source.file,
        sha256=sha256,
        size=size,
        url=place.label,
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        version=brought.version,
    )
    _pin(job, place, pin, contents, brought.hops)
    source = job.source
    return Fetched(source.name, source.file, path, sha256, size, place.label, brought.version)


def _judge(job: Job, place: _Place, brought: _Brought) -> Contents:
    """What a first use turned out to be; raises LocationFailed if it is none."""
    names = (job.source.file, place.label)
    limit = Limit(f"look at {job.source.file}", job.bounds.total, job.stop)
    try:
        return judgement.judge(brought.path, names, job.expected, limit.check)
    except LocationFailed as failure:
        raise LocationFailed(f"{failure}{_redirected(place, brought.hops)}") from failure


def _redirected(place: _Place, hops: tuple[str, ...]) -> str:
    """Who served it in the end, if that was another address than the profile's."""
    last = without_secrets(hops[-1]) if hops else ""
    return f" (served by {last})" if last and last != place.label.partition("#")[0] else ""


def _pin(
    job: Job, place: _Place, pin: Pin, contents: Contents | None, hops: tuple[str, ...]
) -> None:
    if job.locked:
        return
    known = {old.sha256 for old in valid_pins(job.source, job.lock).values()}
    if place.kind == DROPIN and (pin.sha256 in known or pin.sha256 in place.allowed):
        return  # its digest is known, whoever brings it
    if contents is not None and pin.sha256 not in known:
        job.console.say(
            f"{job.source.name}: first use, no digest was known: sha256 {pin.sha256} "
            f"from {place.label} is written to {job.lock.path}"
        )
        signed = bool(job.source.signed_by)
        for line in judgement.told(contents, pin.size, hops, job.expected, signed=signed):
            job.console.say(f"{job.source.name}: {line}")
    key = hashlib.sha256(str(job.lock.path).encode()).hexdigest()[:16]
    path = job.cache.lock(f"lock-{key}")
    with hold(path, str(job.lock.path), job.console, stop=job.stop):
        job.lock.record(job.source.name, place.kind, pin)


def _refusal(
    job: Job, place: _Place, brought: _Brought, sha256: Digest
) -> VerificationError | None:
    """Why these bytes are not to be used, None if they are; announces who signed them."""
    fits = not place.allowed or sha256 in place.allowed
    try:
        words = require_signature(job.source, brought.path, job.lock)
    except VerificationError as error:
        if fits:
            return VerificationError(f"{error.what} (from {place.label})", error.cause, error.hint)
        return _mismatch(job, place, brought, sha256, f"\nand {error}")
    if not fits:
        return _mismatch(job, place, brought, sha256, words and f"\nbut it is {words}")
    if words:
        job.console.say(f"{job.source.name}: {words}")
    return None


def _mismatch(
    job: Job, place: _Place, brought: _Brought, sha256: Digest, verdict: str
) -> VerificationError:
    """``verdict``: what the signature says of bytes that are not the pinned ones."""
    expected = " or ".join(sorted(place.allowed))
    what = f"\nit is {kind.of_file(brought.path)}{_redirected(place, brought.hops)}"
    return VerificationError(
        f"{job.source.file} from {place.label} is not what was pinned",
        f"sha256 expected {expected}\nsha256 got      {sha256}{what}{verdict}",
        "find out why before trusting it; if it was replaced on purpose, correct the digest in "
        "profile.toml or run `invoke fetch --update`",
    )


def _unpinned(job: Job, cause: str) -> VerificationError:
    why = f"{ci.VARIABLE}=true" if ci.is_ci() else "--locked"
    return VerificationError(
        f"{job.source.name} is not pinned, and {why} forbids its first use",
        cause,
        f"pin it and commit {job.lock.path}: "
        f"{ci.OUTSIDE} invoke fetch --profile {job.lock.path.parent.name}",
    )


def _unreachable(
    job: Job, places: list[_Place], answers: list[tuple[str, str]]
) -> SourceUnreachable | VerificationError:
    digests = sorted(frozenset().union(*(place.allowed for place in places)))
    wanted = f" (sha256 {' or '.join(digests)})" if digests else ""
    alternative = f"; {job.source.alternative}" if job.source.alternative else ""
    told = "\n".join(f"{label}: {answer}" for label, answer in answers) or "it has no location"
    hint = (
        f"check the network and the proxy (`invoke doctor`), or put {job.source.file}{wanted} "
        f"into {job.project.dropin}{alternative}"
    )
    if job.damages:
        return VerificationError(
            f"{job.source.file} in the cache is damaged, and no location can serve it anew",
            "\n".join([*(one.cause for one in job.damages), told]),
            hint,
        )
    return SourceUnreachable(
        f"no location can serve {job.source.file} of source {job.source.name}", told, hint
    )
