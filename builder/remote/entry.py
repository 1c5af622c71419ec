"""An entry of the store: a signed manifest, and the archive that it names.

Below the store's address::

    v1/<stage>/<key>.json      the manifest, a ``StageEntry``
    v1/<stage>/<key>.json.sig  the signature over the manifest's bytes
    v1/<stage>/<sha256>.tar    the archive of the output, a tar that zstd compressed

The archive is pushed first and the signature last: without it nothing is used.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from builder.digest import Digest
from builder.pipeline.facts import Facts
from builder.pipeline.stagename import folder_of
from builder.values import Line

FORMAT = 1
MOST_MANIFEST = 64 << 10
MOST_ARCHIVE = 16 << 30
"""Bytes; as much as an archive may unpack to."""
MOST_SIGNATURE = 4 << 10
"""Bytes.  One of Ed25519 has about 300."""

_LATEST = (1 << 32) - 1  # seconds since 1970: gmtime(3) of some hosts knows no later moment
EntrySeconds = Annotated[float, msgspec.Meta(ge=0, le=_LATEST)]
ArchiveSize = Annotated[int, msgspec.Meta(ge=1, le=MOST_ARCHIVE)]


class StageEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A manifest.  ``stage`` and ``key``: which stage's output it is.

    ``size``, ``sha256``: bytes and digest of the archive.  ``content``: digest of the output's
    listing.  ``builder``: the version that made it.  ``made``: when the stage began, in seconds
    since the epoch.  ``seconds``: how long it ran.  ``facts``: what it reported.
    """

    format: Literal[1]
    stage: str
    key: Digest
    size: ArchiveSize
    sha256: Digest
    content: Digest
    builder: Line
    made: EntrySeconds
    seconds: EntrySeconds
    facts: Facts


def folder(stage: str) -> str:
    """Where a stage's entries are, below the store's address."""
    return f"v{FORMAT}/{folder_of(stage)}"


def manifest(stage: str, key: Digest) -> str:
    """Path of a manifest."""
    return f"{folder(stage)}/{key}.json"


def signature(stage: str, key: Digest) -> str:
    """Path of a manifest's signature."""
    return f"{manifest(stage, key)}.sig"


def archive(stage: str, sha256: Digest) -> str:
    """Path of an archive."""
    return f"{folder(stage)}/{sha256}.tar"
