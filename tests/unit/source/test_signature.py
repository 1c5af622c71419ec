"""A source RPM is built from only if an accepted key vouches for all of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import UsageError, VerificationError
from builder.source import signature
from builder.source.model import Location, SigningKey, Source
from builder.source.openpgp import Key as Accepted
from tests.support.el6.signing import Key, throwaway_key
from tests.support.source import rpms
from tests.support.source.rpms import HEADER_TAG, NAME, WHOLE_TAG
from tests.support.source.server import Habits
from tests.support.source.site import Site

pytestmark = pytest.mark.skipif(
    shutil.which("rpmsign") is None or shutil.which("gpg") is None,
    reason="this host has no rpm or no GnuPG to make packages with",
)
SUMMER = 1_339_459_200  # 12 June 2012


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with throwaway_key("The Vendor") as key:
        yield key


@pytest.fixture(scope="module")
def second() -> Iterator[Key]:
    with throwaway_key("Another Vendor") as key:
        yield key


@pytest.fixture(scope="module")
def stranger() -> Iterator[Key]:
    with throwaway_key("A Stranger") as key:
        yield key


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rpms.build(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def srpm(plain: Path, tmp_path: Path) -> Path:
    """An unsigned source RPM to be signed and spoilt."""
    return Path(shutil.copy(plain, tmp_path / NAME))


@pytest.fixture
def accepted(key: Key, second: Key, tmp_path: Path) -> tuple[Accepted, ...]:
    found = []
    for number, one in enumerate((key, second)):
        path = tmp_path / f"KEY-{number}"
        path.write_text(f"A key of a vendor.\n\n{one.public}")
        found.append(Accepted(path, one.fingerprint))
    return tuple(found)


def _refused(path: Path, accepted: tuple[Accepted, ...], name: str = NAME) -> VerificationError:
    with pytest.raises(VerificationError) as failure:
        signature.verify(path, name, accepted)
    assert failure.value.exit_code == 4
    assert name in failure.value.what
    return failure.value


def test_a_signature_of_today_covers_the_payload_by_a_digest(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    vouched = signature.verify(rpms.sign(srpm, key), NAME, accepted)
    assert (vouched.signed.fingerprint, vouched.signed.signer) == (key.fingerprint, key.name)
    assert vouched.covers == "the header holds, and by its sha256 the payload"
    assert not vouched.signed.is_old


def test_a_signature_of_2012_is_taken_and_called_old(
    srpm: Path, accepted: tuple[Accepted, ...]
) -> None:
    with throwaway_key("Long Ago") as key:
        _set_back(key, accepted[1].path)
        keys = (accepted[0], Accepted(accepted[1].path, _fingerprint(key)))
        old = Key(key.home, "2010", _fingerprint(key), key.public)
        vouched = signature.verify(rpms.sign_as_in_2012(srpm, old, SUMMER), NAME, keys)
        if _rpm_version() < (4, 19):  # later ones take no key that has expired since
            _assert_rpm_takes_it(srpm, keys[1].path)
        late = _refused(rpms.sign_as_in_2012(srpm, old, int(time.time()) - 60), keys)
    assert vouched.covers == "header and payload hold"
    assert "RSA/SHA-1 version 3 of 2012, old, accepted for this key only)" in str(vouched)
    assert "made after its key had expired" in late.cause


def _rpm_version() -> tuple[int, ...]:
    told = subprocess.run(["rpm", "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(word) for word in re.findall(r"\d+", told)[:2])


def _assert_rpm_takes_it(srpm: Path, public: Path) -> None:
    """It is what it is meant to be, in the eyes of an rpm that knows such signatures."""
    rpmkeys = ("rpmkeys", f"--dbpath={srpm.parent / 'db'}")
    subprocess.run([*rpmkeys, "--import", public], check=True)
    told = subprocess.run([*rpmkeys, "-Kv", srpm], check=True, capture_output=True, text=True)
    assert told.stdout.count("V3 RSA/SHA1 Signature") == 2


def _set_back(key: Key, public: Path) -> None:
    """Give the keyring a further key, of 2010, that expired in 2013; its public part."""
    gpg = ["gpg", "--homedir", str(key.home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
    past = ["--faked-system-time", "20100101T000000!", "--passphrase", ""]
    subprocess.run([*gpg, *past, "--quick-gen-key", "2010", "rsa2048", "sign", "3y"], check=True)
    exported = subprocess.run(
        [*gpg, "--armor", "--export", "2010"], check=True, capture_output=True
    )
    public.write_bytes(exported.stdout)


def _fingerprint(key: Key) -> str:
    argv = ["gpg", "--homedir", str(key.home), "--with-colons", "--fingerprint", "2010"]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return next(line.split(":")[9] for line in told.splitlines() if line.startswith("fpr:"))


def test_what_is_not_signed_is_refused(srpm: Path, accepted: tuple[Accepted, ...]) -> None:
    assert subprocess.run(["rpm", "-K", srpm], capture_output=True, check=False).returncode == 0
    failure = _refused(srpm, accepted)
    assert "is not signed" in failure.what
    assert accepted[0].fingerprint in failure.cause


def test_another_key_is_named_with_those_that_are_accepted(
    srpm: Path, stranger: Key, accepted: tuple[Accepted, ...]
) -> None:
    failure = _refused(rpms.sign(srpm, stranger), accepted)
    assert "by a key that is not accepted" in failure.what
    assert stranger.fingerprint[-16:] in failure.cause
    assert all(one.fingerprint in failure.cause for one in accepted)


def test_one_good_signature_does_not_make_up_for_a_strangers(
    srpm: Path, key: Key, stranger: Key, accepted: tuple[Accepted, ...]
) -> None:
    header, payload = rpms.parts(srpm)
    signatures = {
        HEADER_TAG: rpms.detach(key, header),
        WHOLE_TAG: rpms.detach(stranger, header + payload),
    }
    failure = _refused(rpms.write(srpm, signatures, header, payload), accepted)
    assert "the signature of header and payload: it is by key" in failure.cause


@pytest.mark.parametrize("part", ["header", "payload"])
def test_changed_bytes_are_found_with_and_without_fitting_digests(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...], part: str
) -> None:
    header, payload = rpms.parts(srpm)
    signatures = {
        HEADER_TAG: rpms.detach(key, header),
        WHOLE_TAG: rpms.detach(key, header + payload),
    }
    other = {"header": header.replace(b"2.6.32", b"2.6.33"), "payload": header}[part]
    flipped = payload[:-9] + bytes([payload[-9] ^ 1]) + payload[-8:]
    body = {"header": payload, "payload": flipped}[part]
    # Somebody who changes it on purpose fixes the digests, too.
    forged = _refused(rpms.write(srpm, signatures, other, body), accepted)
    assert "has a bad signature" in forged.what
    assert "not of these bytes" in forged.cause
    rpms.write(srpm, signatures, header, payload)
    data = srpm.read_bytes()
    at = data.index(header) + len(header) - 9 if part == "header" else len(data) - 9
    srpm.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert "is damaged" in _refused(srpm, accepted).what


def test_a_payload_that_only_a_digest_covers_is_held_against_it(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    header, payload = rpms.parts(srpm)
    flipped = payload[:-9] + bytes([payload[-9] ^ 1]) + payload[-8:]
    rpms.write(srpm, {HEADER_TAG: rpms.detach(key, header)}, header, flipped)
    assert "sha256 of the payload expected" in _refused(srpm, accepted).cause


def test_a_signature_of_the_header_alone_is_not_enough(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    header, payload = rpms.parts(srpm)
    header = rpms.without_payload_digest(header)
    rpms.write(srpm, {HEADER_TAG: rpms.detach(key, header)}, header, payload)
    failure = _refused(srpm, accepted)
    assert "signed in part only" in failure.what
    assert "no digest in it covers the payload" in failure.cause


@pytest.mark.parametrize("kept", [0, 3, 60, 100, 900, -2000, -1])
def test_a_cut_file_is_told(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...], kept: int
) -> None:
    data = rpms.sign(srpm, key).read_bytes()
    srpm.write_bytes(data[:kept])
    failure = _refused(srpm, accepted)
    assert "is not a complete RPM" in failure.what or "is cut off" in failure.what


def test_bytes_after_the_end_are_refused(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    with rpms.sign(srpm, key).open("ab") as file:
        file.write(b"more")
    assert "has bytes after its end" in _refused(srpm, accepted).what


def test_a_header_with_wild_numbers_is_refused_without_being_believed(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    data = bytearray(rpms.sign(srpm, key).read_bytes())
    for at in range(96, 96 + 16 + 16 * 8, 5):
        spoilt = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        srpm.write_bytes(spoilt)
        try:
            signature.verify(srpm, NAME, accepted)
        except VerificationError:
            continue
        # What is left are facts of the signature header that nothing depends on.
        assert at >= 96 + 16


@pytest.mark.parametrize("blob", [b"", b"\x89\0", b"\x89\0\1x" * 9, b"\xa3" + bytes(40)])
def test_what_is_no_signature_vouches_for_nothing(
    srpm: Path, accepted: tuple[Accepted, ...], blob: bytes
) -> None:
    header, payload = rpms.parts(srpm)
    failure = _refused(rpms.write(srpm, {WHOLE_TAG: blob}, header, payload), accepted)
    assert "not signed" in failure.what or "not a single OpenPGP signature" in failure.cause


def test_a_signed_message_is_no_signature_of_a_package(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    message = subprocess.run(
        ["gpg", "--homedir", key.home, "--batch", "--quiet", "-u", key.name, "--sign"],
        input=b"good bytes",
        check=True,
        capture_output=True,
    ).stdout
    header, payload = rpms.parts(srpm)
    rpms.write(srpm, {WHOLE_TAG: message}, header, payload)
    assert "not a single OpenPGP signature" in _refused(srpm, accepted).cause


def test_another_release_is_named(tmp_path: Path, key: Key, accepted: tuple[Accepted, ...]) -> None:
    other = rpms.sign(rpms.build(tmp_path / "other", "279.el6"), key)
    failure = _refused(other.rename(tmp_path / NAME), accepted)
    assert "a different release" in failure.what
    assert "its header says kernel-2.6.32-279.el6.src" in failure.cause
    assert "are for kernel-2.6.32-220.23.1.el6" in failure.cause


def test_a_key_file_must_hold_the_key_that_it_is_named_for(
    srpm: Path, key: Key, accepted: tuple[Accepted, ...]
) -> None:
    rpms.sign(srpm, key)
    wrong = Accepted(accepted[1].path, key.fingerprint)
    with pytest.raises(UsageError, match="its key has the fingerprint"):
        signature.verify(srpm, NAME, (wrong,))
    (srpm.parent / "empty").touch()
    with pytest.raises(UsageError, match="none"):
        signature.verify(srpm, NAME, (Accepted(srpm.parent / "empty", key.fingerprint),))


def test_the_shipped_keys_have_the_fingerprints_that_were_published(srpm: Path, key: Key) -> None:
    folder = Path(__file__).resolve().parents[3] / "specs/el6/keys"
    published = {
        "RPM-GPG-KEY-CentOS-6": "C1DAC52D1664E8A4386DBA430946FCA2C105B9DE",
        "RPM-GPG-KEY-redhat-release": "567E347AD0044ADE55BA8A5F199E2F91FD431D51",
    }
    keys = tuple(Accepted(folder / name, told) for name, told in published.items())
    assert "not accepted" in _refused(rpms.sign(srpm, key), keys).what


def _source(site: Site, *urls: str, keys: tuple[Key, ...]) -> Source:
    folder = site.lock.path.parent / "keys"
    folder.mkdir(parents=True, exist_ok=True)
    for number, key in enumerate(keys):
        (folder / str(number)).write_text(key.public)
    signed_by = tuple(SigningKey(f"keys/{n}", key.fingerprint) for n, key in enumerate(keys))
    return Source("kernel", NAME, tuple(map(Location, urls)), signed_by=signed_by)


def test_a_fetch_announces_who_signed_and_pins(
    site: Site, server: Habits, srpm: Path, key: Key
) -> None:
    server.body = rpms.sign(srpm, key).read_bytes()
    source = _source(site, server.url("/good/a"), keys=(key,))
    got = site.fetch(source)
    assert f"kernel: signed by The Vendor, key {key.fingerprint}" in site.said.getvalue()
    assert site.lock.pins("kernel")["upstream"].sha256 == got.sha256
    assert site.fetch(source) == got


def test_a_wrong_signature_is_kept_aside_and_never_pinned(
    site: Site, server: Habits, srpm: Path, key: Key, stranger: Key
) -> None:
    server.body = rpms.sign(srpm, stranger).read_bytes()
    url = server.url("/good/a")
    with pytest.raises(VerificationError) as failure:
        site.fetch(_source(site, url, keys=(key,)))
    assert f"(from {url})" in failure.value.what
    (kept,) = site.cache.aside.iterdir()
    assert str(kept) in failure.value.cause
    assert kept.read_bytes() == server.body
    assert not site.lock.path.exists()
    assert not site.cache.blobs.exists()


def test_a_pinned_file_is_still_held_against_the_keys(
    site: Site, server: Habits, srpm: Path, key: Key, second: Key
) -> None:
    server.body = rpms.sign(srpm, key).read_bytes()
    site.fetch(_source(site, server.url("/good/a"), keys=(key,)))
    with pytest.raises(VerificationError, match="not accepted"):
        site.fetch(_source(site, server.url("/good/a"), keys=(second,)))


def test_the_other_vendors_file_of_that_name_is_recognised(
    site: Site, server: Habits, plain: Path, tmp_path: Path, key: Key, second: Key
) -> None:
    bodies = []
    for number, one in enumerate((key, second)):
        copy = tmp_path / f"{number}.rpm"
        shutil.copy(plain, copy)
        bodies.append(rpms.sign(copy, one).read_bytes())
    source = _source(site, server.url("/good/a"), keys=(key, second))
    server.body = bodies[0]
    site.fetch(source).path.unlink()
    server.body = bodies[1]
    with pytest.raises(VerificationError) as failure:
        site.fetch(source)
    assert "is not what was pinned" in failure.value.what
    assert "but it is signed by Another Vendor" in failure.value.cause
    assert site.fetch(source, update=True).path.read_bytes() == bodies[1]


def test_only_rpms_can_be_signed_by_somebody(site: Site, server: Habits, key: Key) -> None:
    source = _source(site, server.url("/good/a"), keys=(key,))
    tar = Source("tool", "tool.tar", source.locations, signed_by=source.signed_by)
    with pytest.raises(UsageError, match="only RPMs"):
        site.fetch(tar)
