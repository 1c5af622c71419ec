"""The folder for files supplied by hand, which is checked in every run.

It takes precedence over the cache: a file that was changed since is reported, not ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.digest import Digest, of_file
from builder.errors import UsageError, VerificationError
from builder.host.paths import Project
from builder.source.known import dropin_label, valid_pins
from builder.source.model import Fetched, Source
from builder.source.pins import SourcesLock

if TYPE_CHECKING:
    from builder.source.accepted import Acceptance


_UPDATE = "`invoke fetch --update`"


def digest(source: Source, project: Project) -> Digest | None:
    """The digest of a source's file there, None if there is none.

    Raises UsageError if it is not a file.
    """
    path = project.dropin / source.file
    if path.is_file():
        return of_file(path)
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"{dropin_label(source)} cannot be used",
            "it is not a file, or a link to none",
            f"put {source.file} itself there, or remove it",
        )
    return None


def require(
    source: Source, project: Project, lock: SourcesLock, acceptance: Acceptance | None = None
) -> Digest | None:
    """As ``digest``; raises VerificationError if another digest is known for the source."""
    found = digest(source, project)
    known = known_digests(source, lock)
    if found is None or not known or found in known:
        return found
    # Needed only for the error.
    from builder.source import accepted, kind  # noqa: PLC0415

    advice = accepted.correction(acceptance) or "if it was replaced on purpose, run " + _UPDATE
    label = dropin_label(source)
    raise VerificationError(
        f"{source.file} from {label} is not what was pinned",
        f"sha256 expected {' or '.join(sorted(known))}\nsha256 got      {found}\n"
        f"it is {kind.of_file(project.dropin / source.file)}",
        f"put the pinned file there, or remove {label}; {advice}",
    )


def known_digests(source: Source, lock: SourcesLock) -> frozenset[Digest]:
    """All digests that the profile and sources.lock have for a source."""
    told = (source.sha256, *(location.sha256 for location in source.locations))
    pinned = (pin.sha256 for pin in valid_pins(source, lock).values())
    return frozenset(one for one in (*told, *pinned) if one is not None)


def prefer(source: Source, brought: Digest | None, found: Fetched | None) -> Fetched | None:
    """The cached file, if none was supplied by hand or both are the same."""
    if brought is None or found is None:
        return found
    if found.sha256 != brought:
        return None
    return msgspec.structs.replace(found, url=dropin_label(source))
