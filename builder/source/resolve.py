"""A source that is not in the cache: try its places in order, verify, pin, keep."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import SourceUnreachable, UsageError, VerificationError
from builder.host import ci
from builder.host.lock import hold
from builder.source import accepted, detached, dropin, judgement, kind
from builder.source.bringing import Brought, bring, copy, discard
from builder.source.job import Job
from builder.source.judgement import Contents
from builder.source.known import (
    dropin_label,
    find_sound,
    require_sizes,
    valid_pins,
)
from builder.source.limit import ContentRefused, Limit, LocationFailed, RevisionGone
from builder.source.model import Fetched
from builder.source.pins import Pin
from builder.source.reach import Reach
from builder.source.signature import accepted_keys
from builder.source.store import adopt, measure, set_aside
from builder.source.variant import DROPIN


@dataclass(frozen=True)
class _Place:
    """Where to look; ``allowed``: the digests that may come from there, none if unknown.

    ``variant``: what it is said to serve.  ``strict``: its bytes are pinned, so other bytes are an
    error; from other places they are just an answer.
    """

    variant: str
    label: str
    allowed: frozenset[Digest]
    strict: bool
    bring: Callable[[], Brought]


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
            brought = dropin.require(job.source, job.project, job.lock, job.acceptance)
            sound, damages = find_sound(job.source, cache=job.cache, lock=job.lock)
            job = replace(job, damages=(*job.damages, *damages))
            found = dropin.prefer(job.source, brought, sound)
            if found is not None:
                return job.verified(found, job.vouch(found.path, found.sha256))
        return _try_places(job)


def _try_places(job: Job) -> Fetched:
    places = _places(job)
    if job.locked and not any(place.allowed for place in places):
        raise _unpinned(job, "its digest is not known")
    answers: list[tuple[str, LocationFailed]] = []
    for place in places:
        try:
            if place.variant not in (DROPIN, job.source.preferred):
                found, _ = find_sound(job.source, cache=job.cache, lock=job.lock, others=True)
                if found is not None and not job.update:
                    return _announced(job, job.verified(found, job.vouch(found.path, found.sha256)))
            job.console.say(f"{job.source.name}: from {place.label}")
            key = hashlib.sha256(place.label.encode()).hexdigest()[:16]
            # Another source may name the same place: only one at a time may use the partial file.
            path = job.cache.lock(f"place-{key}")
            with hold(path, place.label, job.console, stop=job.stop):
                return _announced(job, _accept(job, place, place.bring()))
        except LocationFailed as failure:
            answers.append((place.label, failure))
            job.console.say(f"{place.label}: {failure}")
        except VerificationError as error:
            before = [f"{label}, asked before: {answer}" for label, answer in answers]
            raise VerificationError(
                error.what, "\n".join((error.cause, *before)), error.hint
            ) from error
    raise _unreachable(job, places, answers)


def _announced(job: Job, found: Fetched) -> Fetched:
    """Report it if another variant than the preferred one is used; returns ``found``."""
    if found.variant != job.source.preferred:
        job.console.say(
            f"{found.name}: variant {found.variant} is taken, not {job.source.preferred}"
        )
    return found


def _places(job: Job) -> list[_Place]:
    choice = job.choice
    urls = [location.url for location in job.source.in_order]
    reach = Reach(urls, job.bounds.reach, job.stop)
    places = [
        _Place(
            location.serves,
            location.label,
            choice.allowed(location),
            choice.is_known(location.serves),
            lambda location=location: bring(job, location, choice, reach),  # type: ignore[misc]
        )
        for location in job.source.in_order
    ]
    dropped = job.project.dropin / job.source.file
    if dropped.is_file():
        label = dropin_label(job.source)
        place = _Place(DROPIN, label, choice.digests, True, lambda: copy(job, dropped))
        places.insert(0, place)
    return places


def _accept(job: Job, place: _Place, brought: Brought, *, last: bool = False) -> Fetched:
    sha256, size = measure(brought.path)
    try:
        contents = None if place.allowed else _judge(job, place, brought)
        words = _vouched(job, place, brought, sha256)
    except (LocationFailed, VerificationError) as refusal:
        if brought.resumed and not last:
            # The first part may be of a file that has changed since: get it whole again, once.
            discard(brought)
            job.console.say(f"{place.label}: its parts do not match, restarting the download")
            return _accept(job, place, place.bring(), last=True)
        if place.allowed and not place.strict:
            discard(brought)
            answer = f"it serves other bytes than the pinned ones: sha256 {sha256}"
            raise LocationFailed(answer) from refusal
        other = _complaint(job, place, brought, sha256)
        kept = set_aside(job.cache, brought.path, sha256, job.source.file)
        discard(brought)
        if other:
            raise ContentRefused(f"{other}; kept as {kept}") from refusal
        if isinstance(refusal, LocationFailed):
            raise type(refusal)(f"{refusal}; kept as {kept}") from refusal
        cause = f"{refusal.cause}\nkept as {kept}"
        raise VerificationError(refusal.what, cause, refusal.hint) from refusal
    path = adopt(job.cache, brought.path, sha256)
    discard(brought)
    if not job.update:
        require_sizes(job.lock, job.cache, job.source.name)
    pin = Pin(
        file=job.source.file,
        sha256=sha256,
        size=size,
        url=place.label,
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        version=brought.version,
        verified=words or ("" if place.allowed else brought.verified) or None,
    )
    _pin(job, place, pin, contents, brought.hops)
    made = Fetched(
        name=job.source.name,
        file=job.source.file,
        path=path,
        sha256=sha256,
        size=size,
        url=place.label,
        version=brought.version,
        variant=_variant(job, place, sha256),
    )
    return job.verified(made, words)


def _complaint(job: Job, place: _Place, brought: Brought, sha256: Digest) -> str:
    """What a location served in place of the pinned file, such as a login page.

    Empty for bytes that may be mistaken for the file.
    """
    if place.variant == DROPIN or not place.allowed or sha256 in place.allowed:
        return ""
    told = judgement.complaint(brought.path, (job.source.file, place.label))
    return told and f"{told}{judgement.served_by(place.label, brought.hops)}"


def _variant(job: Job, place: _Place, sha256: Digest) -> str:
    """Which variant of the source these bytes are."""
    said = job.source.preferred if place.variant == DROPIN else place.variant
    return job.choice.variant_of(sha256, said)


def _judge(job: Job, place: _Place, brought: Brought) -> Contents:
    """What a first use turned out to be; raises LocationFailed if it is none."""
    names = (job.source.file, place.label)
    limit = Limit(f"look at {job.source.file}", job.bounds.total, job.stop)
    try:
        return judgement.judge(brought.path, names, job.expected, limit.check)
    except LocationFailed as failure:
        told = f"{failure}{judgement.served_by(place.label, brought.hops)}"
        raise type(failure)(told) from failure


def _pin(
    job: Job, place: _Place, pin: Pin, contents: Contents | None, hops: tuple[str, ...]
) -> None:
    accepted = job.acceptance is not None and job.acceptance.sha256 == pin.sha256
    if job.locked or accepted:
        return
    pinned = {old.sha256 for old in valid_pins(job.source, job.lock).values()}
    if pin.sha256 in pinned and not job.update:
        return  # the pin is the content, wherever it came from this time
    if place.variant == DROPIN and pin.sha256 in place.allowed:
        return  # its digest is known, whoever brings it
    if contents is not None and pin.sha256 not in pinned:
        job.console.say(
            f"{job.source.name}: {pin.verified or 'first use, no digest was known'}: "
            f"sha256 {pin.sha256} "
            f"from {place.label} is written to {job.lock.path}"
        )
        signed = bool(job.source.signed_by)
        for line in judgement.told(contents, pin.size, hops, job.expected, signed=signed):
            job.console.say(f"{job.source.name}: {line}")
    key = hashlib.sha256(str(job.lock.path).encode()).hexdigest()[:16]
    path = job.cache.lock(f"lock-{key}")
    with hold(path, str(job.lock.path), job.console, stop=job.stop):
        variant = place.variant if not place.allowed else _variant(job, place, pin.sha256)
        stay = job.source.variants if job.update else None
        job.lock.record(job.source.name, variant, pin, only=stay)


def _vouched(job: Job, place: _Place, brought: Brought, sha256: Digest) -> str:
    """Who vouches for these bytes, which is announced; raises VerificationError for wrong ones."""
    fits = not place.allowed or sha256 in place.allowed
    try:
        words = _signer(job, brought, sha256)
    except VerificationError as error:
        if fits:
            what = f"{error.what} (from {place.label})"
            raise VerificationError(what, error.cause, error.hint) from error
        raise _mismatch(job, place, brought, sha256, f"\nand {error}") from error
    if not fits:
        raise _mismatch(job, place, brought, sha256, words and f"\nbut it is {words}")
    if words:
        job.console.say(f"{job.source.name}: {words}")
    return words


def _signer(job: Job, brought: Brought, sha256: Digest) -> str:
    """Who signed these bytes, if anybody must have.  Raises VerificationError if nobody did."""
    if not brought.signature:
        return job.vouch(brought.path, sha256)
    signed = detached.verify(
        brought.path,
        job.source.file,
        brought.signature,
        accepted_keys(job.source, job.lock.path.parent),
        plain=brought.plain,
        max_bytes=job.source.max_bytes,
    )
    return f"signed by {signed}"


def _mismatch(
    job: Job, place: _Place, brought: Brought, sha256: Digest, verdict: str
) -> VerificationError:
    """``verdict``: what the signature says of bytes that are not the pinned ones."""
    expected = " or ".join(sorted(place.allowed))
    advice = accepted.correction(job.acceptance) or (
        "if it was replaced on purpose, correct the digest in profile.toml or run "
        "`invoke fetch --update`"
    )
    what = f"\nit is {kind.of_file(brought.path)}{judgement.served_by(place.label, brought.hops)}"
    return VerificationError(
        f"{job.source.file} from {place.label} is not what was pinned",
        f"sha256 expected {expected}\nsha256 got      {sha256}{what}{verdict}",
        f"find out why before trusting it; {advice}",
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
    job: Job, places: list[_Place], answers: list[tuple[str, LocationFailed]]
) -> SourceUnreachable | VerificationError:
    digests = sorted(frozenset().union(*(place.allowed for place in places)))
    wanted = f" (sha256 {' or '.join(digests)})" if digests else ""
    alternative = f"; {job.source.alternative}" if job.source.alternative else ""
    told = "\n".join(f"{label}: {answer}" for label, answer in answers) or "it has no location"
    hint = (
        f"check the network and the proxy (`invoke doctor`), or put {job.source.file}{wanted} "
        f"into {job.project.dropin}{alternative}"
    )
    if any(isinstance(answer, RevisionGone) for _, answer in answers):
        profile = job.lock.path.parent.name
        hint = f"take the newest: invoke update {job.source.name} --profile {profile}\nor {hint}"
    if job.damages:
        return VerificationError(
            f"{job.source.file} in the cache is damaged, and no location can serve it anew",
            "\n".join([*(one.cause for one in job.damages), told]),
            hint,
        )
    if any(isinstance(answer, ContentRefused) for _, answer in answers):
        return VerificationError(
            f"no location serves a {job.source.file} that can be used for source {job.source.name}",
            told,
            f"get the one that fits{wanted}, and put it into {job.project.dropin}{alternative}",
        )
    return SourceUnreachable(
        f"no location can serve {job.source.file} of source {job.source.name}", told, hint
    )
