"""Who vouches for a source's bytes, in words for people, logs and build.json."""

from __future__ import annotations

from pathlib import Path

from builder.digest import Digest
from builder.errors import VerificationError
from builder.host.paths import Project
from builder.source import accepted
from builder.source.accepted import BY_YOU, Acceptance
from builder.source.known import valid_pins
from builder.source.model import Source
from builder.source.pins import SourcesLock


def vouch(
    source: Source,
    path: Path,
    sha256: Digest,
    *,
    project: Project,
    lock: SourcesLock,
    acceptance: Acceptance | None,
) -> str:
    """Check a file against the keys of its source, and against what the operator accepts.

    Returns who vouches for it, an empty text if nobody does and nobody has to.  The profile's keys
    lie beside ``lock``.  Raises as ``signature.verify`` does.
    """
    own = acceptance.keys(project) if acceptance is not None else ()
    taken = acceptance is not None and acceptance.sha256 == sha256
    # A file with a signature beside it was verified before it was pinned (``detached``).
    beside = any(location.signature for location in source.locations)
    if beside or not (source.signed_by or own):
        return f"unsigned, {BY_YOU}" if taken else ""
    from builder.source import signature  # noqa: PLC0415 - only signed sources pay for it

    keys = (*signature.accepted_keys(source, lock.path.parent), *own)
    try:
        vouched = signature.verify(path, source.file, keys)
    except VerificationError as error:
        if taken:
            return accepted.describe(error)
        if isinstance(error, signature.Unvouched):
            advice = accepted.advice(project, lock.path.parent.name, source, sha256)
            raise type(error)(error.what, error.cause, f"{error.hint}\n{advice}") from error
        raise
    mine = vouched.signed.fingerprint in {key.fingerprint for key in own}
    return f"{vouched}, {BY_YOU}" if mine else str(vouched)


def describe(words: str, source: Source, sha256: Digest, lock: SourcesLock) -> str:
    """How the bytes to be built from are verified; ``words``: as ``vouch`` returns."""
    if words:
        return words
    if sha256 in {source.sha256, *(location.sha256 for location in source.locations)}:
        return "by the digest in profile.toml; no signature was asked for"
    pins = [pin for pin in valid_pins(source, lock).values() if pin.sha256 == sha256]
    told = next((pin.verified for pin in pins if pin.verified), "")
    if told:
        return told
    dates = [pin.date for pin in pins]
    since = f" on {min(dates)}" if dates else ""
    return f"by the digest of its first use{since}; no signature was asked for"
