"""An entry that is not what an accepted key signed is reported, set aside, and never used."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from builder.digest import encode
from tests.support.remote import forgery
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import IMAGE, KERNEL, Machine, reader, writer
from tests.support.remote.store import StoreServer

Spoil = Callable[[StoreServer, KeyPair, KeyPair], None]


def hostile_tar(name: str = "../escaped", data: bytes = b"x") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def unsigned(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    store.find(KERNEL, ".sig").unlink()


def foreign(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.sign(store, KERNEL, store.find(KERNEL, ".json").read_bytes(), stranger)


def another_purpose(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".json")
    path.with_name(f"{path.name}.sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(pair.path), str(path)]
    subprocess.run(command, check=True, capture_output=True)


def garbage_signature(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    store.find(KERNEL, ".sig").write_bytes(bytes(range(256)))


def half_signature(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".sig")
    path.write_bytes(path.read_bytes()[:100])


def huge_signature(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    store.find(KERNEL, ".sig").write_bytes(b"-" * 5000)


def changed_manifest(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".json")
    path.write_bytes(path.read_bytes().replace(b'"seconds"', b'"Seconds"'))


def half_manifest(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".json")
    path.write_bytes(path.read_bytes()[:50])


def another_stage(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.sign(store, KERNEL, store.find(IMAGE, ".json").read_bytes(), pair)


def another_format(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.sign(store, KERNEL, b'{"format": 2}', pair)


def no_text(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    data = store.find(KERNEL, ".json").read_bytes()
    forgery.sign(store, KERNEL, data.replace(b'"builder": "', b'"builder": "\xff'), pair)


def no_moment(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    old = forgery.entry_of(store, KERNEL)
    forgery.sign(store, KERNEL, encode(structs.replace(old, made=1e300)), pair)


def changed_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".tar")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def half_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".tar")
    path.write_bytes(path.read_bytes()[:-7])


def longer_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    with store.find(KERNEL, ".tar").open("ab") as file:
        file.write(b"more")


def no_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    store.find(KERNEL, ".tar").unlink()


def hostile_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.replace(store, KERNEL, hostile_tar(), pair)


def no_tar(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.replace(store, KERNEL, b"no archive at all", pair)


def other_content(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    forgery.replace(store, KERNEL, hostile_tar("rpms/kernel.rpm", b"another kernel"), pair)


SPOILT: tuple[tuple[Spoil, str], ...] = (
    (unsigned, "it is not signed"),
    (foreign, "no accepted key has signed it"),
    (another_purpose, "no accepted key has signed it"),
    (garbage_signature, "no accepted key has signed it"),
    (half_signature, "no accepted key has signed it"),
    (huge_signature, "it has more than 4096 bytes"),
    (changed_manifest, "no accepted key has signed it"),
    (half_manifest, "no accepted key has signed it"),
    (another_stage, "its manifest is that of vm"),
    (another_format, "its manifest is of another version"),
    (no_text, "its manifest is of another version: JSON is malformed"),
    (no_moment, "its manifest is of another version: Expected `float` <= 4294967295"),
    (changed_archive, "its archive has the SHA-256 "),
    (half_archive, "its archive has "),
    (longer_archive, "its archive has "),
    (no_archive, "its archive is missing"),
    (hostile_archive, "its archive cannot be unpacked: member '../escaped'"),
    (no_tar, "its archive cannot be unpacked"),
    (other_content, "its archive does not have what was signed"),
)
KEPT = (changed_archive, hostile_archive, no_tar, other_content)


@pytest.mark.parametrize(("spoil", "why"), SPOILT, ids=lambda one: getattr(one, "__name__", None))
def test_an_entry_that_is_not_what_was_signed_is_set_aside(
    tmp_path: Path,
    stage_store: StoreServer,
    pair: KeyPair,
    stranger: KeyPair,
    spoil: Spoil,
    why: str,
) -> None:
    maker, other = Machine(tmp_path / "maker"), Machine(tmp_path / "other")
    maker.run(writer(stage_store.url, pair))
    spoil(stage_store, pair, stranger)
    done = other.run(reader(stage_store.url, pair))
    assert other.ran == [KERNEL]  # the other entry is used
    assert done[KERNEL].content == maker.run(None)[KERNEL].content
    assert done[KERNEL].manifest.provenance is None
    (told,) = (line for line in other.told if line.startswith(KERNEL))
    assert told.startswith(f"{KERNEL}: the stage store's entry is not used: {why}")
    assert told.endswith("; it is built here")
    kept = list((other.cache.aside / "remote").glob("*"))
    assert bool(kept) == (spoil in KEPT)
    assert not list(tmp_path.rglob("escaped"))


def test_a_spoilt_entry_is_replaced_by_a_machine_that_pushes(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, stranger: KeyPair
) -> None:
    Machine(tmp_path / "maker").run(writer(stage_store.url, pair))
    changed_archive(stage_store, pair, stranger)
    foreign(stage_store, pair, stranger)
    Machine(tmp_path / "other").run(writer(stage_store.url, pair))
    third = Machine(tmp_path / "third")
    third.run(reader(stage_store.url, pair))
    assert third.ran == []


def cut_archive(store: StoreServer, pair: KeyPair, stranger: KeyPair) -> None:
    path = store.find(KERNEL, ".tar")
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("spoil", [no_archive, cut_archive, foreign, unsigned])
def test_a_spoilt_entry_is_replaced_by_the_machine_that_has_the_output(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, stranger: KeyPair, spoil: Spoil
) -> None:
    maker = Machine(tmp_path / "maker")
    maker.run(writer(stage_store.url, pair))
    spoil(stage_store, pair, stranger)
    maker.run(writer(stage_store.url, pair))
    assert maker.ran == [KERNEL, IMAGE], "it has nothing to make"
    other = Machine(tmp_path / "other")
    other.run(reader(stage_store.url, pair))
    assert other.ran == []
    asked = stage_store.count("PUT")
    maker.run(writer(stage_store.url, pair))
    assert stage_store.count("PUT") == asked


def test_what_nobody_would_use_is_not_pushed(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, stranger: KeyPair
) -> None:
    maker = Machine(tmp_path / "maker")
    store = writer(stage_store.url, stranger)
    maker.run(type(store)(store.url, (pair.accepted,), store.sign, store.password))
    assert f"{stranger.path} (sign) is the key of none of those in accept" in maker.told[0]
    assert stage_store.count("PUT") == 0


def test_entries_of_several_keys_are_used(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, stranger: KeyPair
) -> None:
    Machine(tmp_path / "one").run(writer(stage_store.url, pair))
    Machine(tmp_path / "two", value="2").run(writer(stage_store.url, stranger))
    for value, name in (("1", "ci"), ("2", "stranger")):
        other = Machine(tmp_path / f"other-{value}", value=value)
        done = other.run(reader(stage_store.url, pair, stranger))
        origin = done[KERNEL].manifest.provenance
        assert other.ran == []
        assert origin is not None
        assert origin.signer == name
