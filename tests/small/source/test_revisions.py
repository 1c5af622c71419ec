"""The pin is the content: a revision that has left the mirror is no loss while its bytes are there.

apt asks a mirror of this test's own.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from builder.digest import Digest
from builder.errors import SourceUnreachable, VerificationError
from builder.source.model import Location, Source
from builder.source.probe import probe
from tests.support.source.mirror import Mirror, serve
from tests.support.source.server import BODY, DIGEST, Habits, tar_of
from tests.support.source.site import Site

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(
        shutil.which("apt-get") is None, reason="this host has no apt client to test with"
    ),
]
MEMBER = "usr/src/tool.tar"
OTHER = tar_of(b"another tree of the same release")
PACKED, OTHERS = gzip.compress(BODY, mtime=0), gzip.compress(OTHER, mtime=0)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with serve(tmp_path) as made:
        monkeypatch.setenv("APT_CONFIG", str(made.configuration))
        yield made


def _packaged(*more: Location, version: str = "") -> Source:
    first = Location(f"apt:tool{version}", member=MEMBER, variant="patched")
    return Source("tool", "tool-1.0.tar", (first, *more))


def _forget(site: Site) -> None:
    """A fresh machine, whose lists are those of today."""
    shutil.rmtree(site.cache.blobs, ignore_errors=True)
    (site.cache.apt / "refreshed").unlink(missing_ok=True)


def test_any_revision_with_the_pinned_member_will_do(site: Site, mirror: Mirror) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    source = _packaged(version="=1.0-2")
    assert site.fetch(source).version == "1.0-2"
    before = site.lock.path.read_text()
    mirror.withdraw("tool", "1.0-2")
    mirror.add_deb("tool", "1.0-3", {MEMBER: BODY, "usr/share/doc/tool": b"new"})
    mirror.add_deb("tool", "1.0-4", {MEMBER: OTHER})
    _forget(site)
    got = site.fetch(source, locked=True)
    assert (got.sha256, got.version, got.variant) == (DIGEST, "1.0-3", "patched")
    _forget(site)
    assert site.fetch(source).version == "1.0-3"
    assert site.lock.path.read_text() == before


def test_a_revision_that_is_listed_but_not_served_is_passed_over(
    site: Site, mirror: Mirror
) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    source = _packaged(version="=1.0-2")
    site.fetch(source)
    (mirror.root / "tool_1.0-2_all.deb").unlink()
    _forget(site)
    with pytest.raises(SourceUnreachable, match="404"):
        site.fetch(source, locked=True)
    mirror.add_deb("tool", "1.0-3", {MEMBER: BODY, "usr/share/doc/tool": b"new"})
    _forget(site)
    assert site.fetch(source, locked=True).version == "1.0-3"


def test_a_source_package_is_chosen_by_its_listed_digest(site: Site, mirror: Mirror) -> None:
    mirror.add_source("tool", "1.0-1", PACKED)
    source = Source("tool", "tool-1.0.tar.gz", (Location("apt-source:tool"),))
    assert site.fetch(source).version == "1.0-1"
    mirror.withdraw("tool", "1.0-1")
    mirror.add_source("tool", "1.0-1+deb12u1", PACKED)
    mirror.add_source("tool", "1.1-1", OTHERS)
    _forget(site)
    assert site.fetch(source, locked=True).version == "1.0-1+deb12u1"
    assert not [one for one in site.said.getvalue().splitlines() if "1.1-1" in one]


def test_a_revision_that_is_gone_is_told_with_the_newest(site: Site, mirror: Mirror) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    source = _packaged(version="=1.0-2")
    site.fetch(source)
    mirror.withdraw("tool", "1.0-2")
    mirror.add_deb("tool", "1.0-3", {MEMBER: OTHER})
    mirror.add_deb("tool", "1.1-1", {MEMBER: OTHER})
    for locked in (True, False):
        _forget(site)
        with pytest.raises(SourceUnreachable) as failure:
            site.fetch(source, locked=locked)
        assert "revision 1.0-2 of tool is gone, the newest is 1.1-1" in failure.value.cause
        assert "1.0-3 has other content" in failure.value.cause
        assert "invoke update tool --profile lts" in failure.value.hint
        assert failure.value.exit_code == 3
    assert site.lock.pins("tool")["patched"].sha256 == DIGEST


def test_a_gone_revision_is_looked_for_at_the_next_location(
    site: Site, mirror: Mirror, server: Habits
) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    source = _packaged(
        Location(server.url("/good/tool-1.0.tar"), variant="patched"), version="=1.0-2"
    )
    site.fetch(source)
    mirror.withdraw("tool", "1.0-2")
    mirror.add_deb("tool", "1.0-3", {MEMBER: OTHER})
    _forget(site)
    got = site.fetch(source, locked=True)
    assert (got.sha256, got.url) == (DIGEST, server.url("/good/tool-1.0.tar"))


def test_the_pinned_revision_with_other_bytes_is_an_error(site: Site, mirror: Mirror) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    source = _packaged(version="=1.0-2")
    site.fetch(source)
    mirror.add_deb("tool", "1.0-2", {MEMBER: OTHER})
    _forget(site)
    with pytest.raises(VerificationError, match="is not what was pinned"):
        site.fetch(source)


def test_a_revision_that_nobody_pinned_is_not_taken_for_another(site: Site, mirror: Mirror) -> None:
    mirror.add_deb("tool", "1.1-1", {MEMBER: OTHER})
    with pytest.raises(SourceUnreachable, match=r"revision 1\.0-2 of tool is gone"):
        site.fetch(_packaged(version="=1.0-2"))
    assert not site.lock.path.exists()


def test_a_package_that_is_gone_altogether_is_told_so(site: Site, mirror: Mirror) -> None:
    with pytest.raises(SourceUnreachable, match="Unable to locate package tool"):
        site.fetch(_packaged())


def test_update_pins_what_is_there_now(site: Site, mirror: Mirror) -> None:
    mirror.add_source("tool", "1.0-1", PACKED)
    source = Source("tool", "tool-1.0.tar.gz", (Location("apt-source:tool"),))
    site.fetch(source)
    mirror.add_source("tool", "1.1-1", OTHERS)
    os.utime(site.cache.apt / "refreshed", (0, 0))
    assert site.fetch(source, update=True).version == "1.1-1"
    assert site.lock.pins("tool")["apt-source"].sha256 == hashlib.sha256(OTHERS).hexdigest()
    named = msgspec.structs.replace(source, sha256=Digest(hashlib.sha256(PACKED).hexdigest()))
    _forget(site)
    assert site.fetch(named).version == "1.0-1"


def test_doctor_asks_the_lists_that_the_builder_uses(site: Site, mirror: Mirror) -> None:
    mirror.add_deb("tool", "1.0-2", {MEMBER: BODY})
    mirror.add_source("other", "2.0-1", PACKED)
    folder, asked = site.cache.apt, ("apt:tool=1.0-2", "apt:tool", "apt-source:other")
    new = "is looked up when a build takes new lists from the mirror"
    for url, name in zip(asked, ("tool", "tool", "other"), strict=True):
        assert probe(url, site.root, lists=folder) == f"{new} (the host's lists have no {name})"
    site.fetch(_packaged(version="=1.0-2"))
    before = sorted(folder.rglob("*"))
    found = [probe(url, site.root, lists=folder) for url in asked]
    lists = "is in the builder's lists"
    assert found == [f"1.0-2 {lists}", f"1.0-2 {lists}", f"2.0-1 {lists}"]
    for url, there in (("apt:tool=1.0-1", "1.0-2"), ("apt:none", "no none")):
        assert probe(url, site.root, lists=folder) == f"{new} (the builder's lists have {there})"
    assert sorted(folder.rglob("*")) == before
