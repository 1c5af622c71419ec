"""A source may have variants: each has bytes of its own, and none slips in beside another's pin."""

from __future__ import annotations

import hashlib

import pytest

from builder.digest import Digest
from builder.errors import SourceUnreachable, VerificationError
from builder.source.known import find
from builder.source.model import Location, Source
from tests.support.source.server import BODY, DIGEST, Habits, tar_of
from tests.support.source.site import Site

OTHER = tar_of(b"the pristine one")
OTHERS = Digest(hashlib.sha256(OTHER).hexdigest())


def _two(site: Site, server: Habits, preferred: str = "") -> Source:
    """``patched`` by HTTP and ``pristine`` from a file."""
    site.project.root.mkdir(exist_ok=True)
    (site.project.root / "pristine.tar").write_bytes(OTHER)
    patched = Location(server.url("/good/a"), variant="patched")
    return Source(
        "tool",
        "tool.tar",
        (patched, Location("file:pristine.tar", variant="pristine")),
        variant=preferred,
    )


def _lose(site: Site, server: Habits) -> None:
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    server.body = b"spoilt"


def test_the_preferred_variant_is_asked_first(site: Site, server: Habits) -> None:
    assert site.fetch(_two(site, server)).variant == "patched"
    got = site.fetch(_two(site, server, "pristine"), update=True)
    assert (got.variant, got.sha256) == ("pristine", OTHERS)
    assert set(site.lock.pins("tool")) == {"patched", "pristine"}


def test_other_bytes_are_no_first_use_beside_a_pin(site: Site, server: Habits) -> None:
    site.fetch(_two(site, server))
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    source = _two(site, server)
    gone = Location(server.url("/status/404"), variant="patched")
    source = Source("tool", "tool.tar", (gone, source.locations[1]))
    before = site.lock.path.read_text()
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source)
    assert "variant pristine is not pinned" in failure.value.cause
    assert f"sha256 {DIGEST}" in failure.value.hint
    assert site.lock.path.read_text() == before


def test_a_location_without_a_variant_is_asked_for_the_pinned_bytes(
    site: Site, server: Habits
) -> None:
    """What it serves may be the same: then its own kind does not matter."""
    site.project.root.mkdir()
    origin = site.project.root / "tool.tar"
    origin.write_bytes(BODY)
    first = Location("file:tool.tar", variant="local")
    site.fetch(Source("tool", "tool.tar", (first,)))
    before = site.lock.path.read_text()
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    origin.unlink()
    source = Source("tool", "tool.tar", (first, Location(server.url("/good/a"))))
    for locked in (True, False):
        got = site.fetch(source, locked=locked)
        assert (got.sha256, got.variant) == (DIGEST, "local")
        got.path.unlink()
    server.body = OTHER
    with pytest.raises(SourceUnreachable, match=f"other bytes than the pinned ones.*{OTHERS}"):
        site.fetch(source)
    assert site.lock.path.read_text() == before


def test_a_pinned_variant_is_built_where_the_preferred_one_is_gone(
    site: Site, server: Habits
) -> None:
    site.fetch(_two(site, server))
    site.fetch(_two(site, server, "pristine"), update=True)
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    gone = Location(server.url("/status/404"), variant="patched")
    source = Source("tool", "tool.tar", (gone, Location("file:pristine.tar", variant="pristine")))
    got = site.fetch(source, locked=True)
    assert (got.sha256, got.variant) == (OTHERS, "pristine")
    assert "variant pristine is taken, not patched" in site.said.getvalue()
    (site.project.root / "pristine.tar").unlink()
    assert site.fetch(source, locked=True).variant == "pristine"


def test_a_cached_variant_does_not_go_before_the_preferred_one(site: Site, server: Habits) -> None:
    site.fetch(_two(site, server))
    site.fetch(_two(site, server, "pristine"), update=True)
    (site.cache.blobs / DIGEST).unlink()
    assert find(_two(site, server), cache=site.cache, lock=site.lock) is None
    assert site.fetch(_two(site, server)).variant == "patched"


def test_other_bytes_of_a_pinned_variant_are_an_error(site: Site, server: Habits) -> None:
    site.fetch(_two(site, server))
    site.fetch(_two(site, server, "pristine"), update=True)
    _lose(site, server)
    with pytest.raises(VerificationError, match="is not what was pinned"):
        site.fetch(_two(site, server))


def test_what_was_pinned_stays_pinned_where_its_location_moves(site: Site, server: Habits) -> None:
    site.fetch(Source("tool", "tool.tar", (Location(server.url("/good/one")),)))
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    moved = Source("tool", "tool.tar", (Location(server.url("/good/two")),))
    assert site.fetch(moved, locked=True).sha256 == DIGEST
    _lose(site, server)
    with pytest.raises(VerificationError, match="is not what was pinned"):
        site.fetch(moved)


def test_a_pin_of_another_file_does_not_count(site: Site, server: Habits) -> None:
    site.fetch(Source("tool", "tool.tar", (Location(server.url("/good/a")),)))
    newer = Source("tool", "tool-2.tar", (Location(server.url("/good/a")),))
    with pytest.raises(VerificationError, match="forbids its first use"):
        site.fetch(newer, locked=True)


def test_a_drop_in_of_any_pinned_variant_is_taken(site: Site, server: Habits) -> None:
    site.fetch(_two(site, server))
    site.fetch(_two(site, server, "pristine"), update=True)
    before = site.lock.path.read_text()
    for blob in site.cache.blobs.iterdir():
        blob.unlink()
    site.drop_in("tool.tar", OTHER)
    assert site.fetch(_two(site, server)).variant == "pristine"
    assert site.lock.path.read_text() == before
