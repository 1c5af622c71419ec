"""Entries as an accepted key could have signed them, with anything in them."""

from __future__ import annotations

from msgspec import structs

from builder.digest import Digest, decode, encode, of_bytes
from builder.remote import signing
from builder.remote.entry import StageEntry
from tests.support.remote.keys import KeyPair
from tests.support.remote.store import StoreServer


def entry_of(store: StoreServer, stage: str) -> StageEntry:
    return decode(store.find(stage, ".json").read_bytes(), StageEntry)


def sign(store: StoreServer, stage: str, manifest: bytes, key: KeyPair) -> None:
    """Put this manifest, signed, in the place of the stage's."""
    path = store.find(stage, ".json")
    path.write_bytes(manifest)
    path.with_name(f"{path.name}.sig").write_bytes(signing.sign(manifest, key.path))


def replace(store: StoreServer, stage: str, archive: bytes, key: KeyPair, **values: object) -> None:
    """Let the stage's entry name this archive."""
    old, digest = entry_of(store, stage), of_bytes(archive)
    store.find(stage, ".tar").with_name(f"{digest}.tar").write_bytes(archive)
    named = {"sha256": Digest(digest), "size": len(archive), **values}
    sign(store, stage, encode(structs.replace(old, **named)), key)
