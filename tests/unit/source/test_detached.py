"""Upstream's tarball is verified by its author's signature, also one of the uncompressed tar."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from builder.errors import SourceUnreachable, UsageError, VerificationError
from builder.profile import load
from builder.source.model import Location, SigningKey, Source
from tests.support.el6.signing import Key, throwaway_key
from tests.support.source.rpms import detach
from tests.support.source.site import Site
from tests.world import ROOT

KEY = "keys/author"


def _tar(text: str = "one") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("tool-1/tool.c")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


TAR = _tar()


@pytest.fixture(scope="module")
def author() -> Iterator[Key]:
    with throwaway_key("an author") as key:
        yield key


@pytest.fixture(scope="module")
def stranger() -> Iterator[Key]:
    with throwaway_key("a stranger") as key:
        yield key


class Upstream:
    """A project whose source is a file location with a signature beside it."""

    def __init__(self, site: Site, author: Key) -> None:
        self.site = site
        self.root = site.project.root
        self.root.mkdir()
        keys = site.project.specs / "lts" / "keys"
        keys.mkdir(parents=True)
        (keys / "author").write_text(author.public)
        self.signed_by = (SigningKey(KEY, author.fingerprint),)

    def publish(
        self, packed: bytes, signature: bytes, name: str = "tool-1.tar.sign", end: str = ".xz"
    ) -> Source:
        file = f"tool-1.tar{end}"
        (self.root / file).write_bytes(packed)
        (self.root / name).write_bytes(signature)
        location = Location(f"file:{file}", variant="pristine", signature=f"file:{name}")
        return Source("tool", file, (location,), signed_by=self.signed_by)


@pytest.fixture
def upstream(site: Site, author: Key) -> Upstream:
    return Upstream(site, author)


@pytest.mark.parametrize(
    ("pack", "end"), [(lzma.compress, ".xz"), (gzip.compress, ".gz"), (bz2.compress, ".bz2")]
)
@pytest.mark.parametrize("armour", ["--armor", "--no-armor"])
def test_a_signature_of_the_uncompressed_tar_is_verified(
    upstream: Upstream, author: Key, pack: Callable[[bytes], bytes], end: str, armour: str
) -> None:
    source = upstream.publish(pack(TAR), detach(author, TAR, armour), end=end)
    got = upstream.site.fetch(source)
    assert got.verified.startswith("signed by an author, key ")
    assert author.fingerprint in got.verified
    assert "signed by an author" in upstream.site.said.getvalue()
    pin = upstream.site.lock.pins("tool")["pristine"]
    assert pin.verified == got.verified
    assert "no digest was known" not in upstream.site.said.getvalue()


@pytest.mark.parametrize("name", ["tool-1.tar.xz.asc", "tool-1.tar.xz.sig"])
def test_a_signature_of_the_file_as_it_is_is_verified(
    upstream: Upstream, author: Key, name: str
) -> None:
    packed = lzma.compress(TAR)
    with pytest.raises(VerificationError, match="not of these bytes"):
        upstream.site.fetch(upstream.publish(packed, detach(author, TAR), name))
    assert upstream.site.fetch(upstream.publish(packed, detach(author, packed), name)).verified


def test_other_bytes_or_another_signer_are_refused(
    upstream: Upstream, author: Key, stranger: Key
) -> None:
    for signature, words in (
        (detach(author, _tar("two")), "not of these bytes"),
        (detach(stranger, TAR), "key that is not accepted"),
        (b"<html>", "not a single OpenPGP signature"),
        (
            b"-----BEGIN PGP SIGNATURE-----\n\n!!\n-----END PGP SIGNATURE-----\n",
            "not a single OpenPGP",
        ),
    ):
        with pytest.raises(VerificationError) as failure:
            upstream.site.fetch(upstream.publish(lzma.compress(TAR), signature))
        assert words in str(failure.value)
        assert "file:tool-1.tar.xz" in failure.value.what
        assert not upstream.site.lock.path.exists()


def test_a_bomb_is_refused_before_it_is_large(upstream: Upstream, author: Key) -> None:
    bomb = _tar("0" * (1 << 20))
    source = upstream.publish(lzma.compress(bomb), detach(author, bomb))
    source = msgspec.structs.replace(source, max_bytes=1 << 14)
    with pytest.raises(VerificationError, match="bytes come out of it"):
        upstream.site.fetch(source)


def test_without_its_signature_it_is_not_taken(upstream: Upstream, author: Key) -> None:
    source = upstream.publish(lzma.compress(TAR), detach(author, TAR))
    (upstream.root / "tool-1.tar.sign").unlink()
    with pytest.raises(SourceUnreachable, match="its signature: no such file"):
        upstream.site.fetch(source)
    (upstream.root / "tool-1.tar.sign").write_bytes(bytes(1 << 20))
    with pytest.raises(SourceUnreachable, match=r"its signature: .*larger than"):
        upstream.site.fetch(source)


def test_what_is_pinned_needs_no_signature_any_more(upstream: Upstream, author: Key) -> None:
    source = upstream.publish(lzma.compress(TAR), detach(author, TAR))
    got = upstream.site.fetch(source)
    got.path.unlink()
    (upstream.root / "tool-1.tar.sign").unlink()
    again = upstream.site.fetch(source, locked=True)
    assert again.sha256 == got.sha256
    assert again.verified == got.verified
    assert upstream.site.fetch(source, locked=True).verified == got.verified


def test_a_signed_variant_may_stand_in_for_one_that_is_gone(
    upstream: Upstream, author: Key
) -> None:
    """Its signature vouches for it: no first use slips in beside the pin."""
    signed = upstream.publish(lzma.compress(TAR), detach(author, TAR))
    (upstream.root / "patched.tar").write_bytes(_tar("patched"))
    patched = Location("file:patched.tar", variant="patched")
    source = msgspec.structs.replace(signed, locations=(patched, *signed.locations))
    upstream.site.fetch(source).path.unlink()
    (upstream.root / "patched.tar").unlink()
    with pytest.raises(SourceUnreachable, match="variant pristine is not pinned"):
        upstream.site.fetch(source, locked=True)
    got = upstream.site.fetch(source)
    assert got.variant == "pristine"
    assert set(upstream.site.lock.pins("tool")) == {"patched", "pristine"}


def test_a_variant_alone_is_held_against_signatures_only_if_it_has_one(
    upstream: Upstream, author: Key
) -> None:
    """``--variant`` and ``invoke update`` take one variant; the keys are for the other's."""
    signed = upstream.publish(lzma.compress(TAR), detach(author, TAR))
    (upstream.root / "patched.tar").write_bytes(_tar("patched"))
    patched = Location("file:patched.tar", variant="patched")
    source = msgspec.structs.replace(signed, locations=(patched, *signed.locations))
    assert upstream.site.fetch(source.alone("patched")).variant == "patched"
    upstream.site.lock.put("tool", {})
    got = upstream.site.fetch(source.alone("pristine"))
    assert got.verified.startswith("signed by ")
    rpm = msgspec.structs.replace(source, file="tool-1-1.src.rpm", locations=(patched,))
    assert rpm.alone("patched").signed_by == source.signed_by


def test_a_key_that_is_not_the_one_that_is_named_is_refused(
    upstream: Upstream, author: Key, stranger: Key, tmp_path: Path
) -> None:
    source = upstream.publish(lzma.compress(TAR), detach(author, TAR))
    (upstream.site.project.specs / "lts" / KEY).write_text(stranger.public)
    with pytest.raises(UsageError, match="does not hold the key"):
        upstream.site.fetch(source)


def test_the_shipped_keys_have_the_fingerprints_that_the_profile_names(
    upstream: Upstream, stranger: Key
) -> None:
    profile = load.load(ROOT / "specs", "lts")
    shipped = upstream.site.project.specs / "lts"
    for one in profile.source["kernel"].signed_by:
        (shipped / one.key).write_bytes((ROOT / "specs/lts" / one.key).read_bytes())
    source = upstream.publish(lzma.compress(TAR), detach(stranger, TAR))
    source = msgspec.structs.replace(source, signed_by=profile.source["kernel"].signed_by)
    with pytest.raises(VerificationError, match="not accepted") as failure:
        upstream.site.fetch(source)
    assert "647F28654894E3BD457199BE38DBBDC86092693E (gregkh.asc)" in failure.value.cause
