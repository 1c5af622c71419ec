"""Reads an entry's manifest from the store; nothing of it counts before its signature holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.digest import Digest, decode
from builder.remote import entry, signing
from builder.remote.entry import StageEntry
from builder.remote.exchange import StoreExchange
from builder.remote.keys import AcceptedKey
from builder.remote.signing import Unsigned
from builder.source.limit import ContentRefused


class Unusable(Exception):
    """There is an entry, which cannot be used.  Its text says why."""


@dataclass(frozen=True)
class SignedEntry:
    """An entry, and whose key has signed it."""

    entry: StageEntry
    signer: AcceptedKey


def read(
    exchange: StoreExchange, stage: str, key: Digest, accept: Iterable[AcceptedKey], scratch: Path
) -> SignedEntry | None:
    """The entry for a stage's key, None if the store has none.

    ``accept``: whose signature counts.  Raises Unusable, LocationFailed, EnvironmentFailure.
    """
    try:
        return _read(exchange, stage, key, accept, scratch)
    except (ContentRefused, Unsigned) as fault:
        raise Unusable(str(fault)) from fault


def _read(
    exchange: StoreExchange, stage: str, key: Digest, accept: Iterable[AcceptedKey], scratch: Path
) -> SignedEntry | None:
    data = exchange.read(entry.manifest(stage, key), entry.MOST_MANIFEST)
    if data is None:
        return None
    signature = exchange.read(entry.signature(stage, key), entry.MOST_SIGNATURE)
    if signature is None:
        raise Unsigned("it is not signed")
    signer = signing.verify(data, signature, accept, scratch)
    try:
        found = decode(data, StageEntry)
    except msgspec.DecodeError as error:
        raise Unusable(f"its manifest is of another version: {error}") from error
    if (found.stage, found.key) != (stage, key):
        raise Unusable(f"its manifest is that of {found.stage}, key {found.key}")
    return SignedEntry(found, signer)
