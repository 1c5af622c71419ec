"""`invoke verify` finds what has changed in the cache and the artifacts, and names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builder.commands.verify import verify
from builder.errors import UsageError, VerificationError
from builder.report import publish
from tests.damage import spoil
from tests.support.commands import desk
from tests.support.commands.desk import PROFILE, Desk
from tests.unit.report.test_publish import PUBLICATIONS, Site


@pytest.fixture
def made(tmp_path: Path) -> Desk:
    """A project whose source is in the cache, with the stages of its tree."""
    made = desk.make(tmp_path)
    made.prepare()
    return made


def bad(made: Desk, capsys: pytest.CaptureFixture[str], profile: str | None = None) -> str:
    """What is told of a cache that is damaged, and stays as it is."""
    before = sorted(made.cache.root.rglob("*"))
    with pytest.raises(VerificationError, match="is not as it was made") as caught:
        verify(profile, made.place, fix=False)
    assert sorted(made.cache.root.rglob("*")) == before
    assert "invoke verify --fix" in caught.value.hint
    return capsys.readouterr().out


@pytest.mark.parametrize("profile", [None, PROFILE])
def test_all_that_was_made_is_read(made: Desk, profile: str | None) -> None:
    wanted = "read: 1 cached sources, 3 finished stages, 0 published files; all are good"
    assert verify(profile, made.place, fix=False) == wanted


@pytest.mark.parametrize("profile", [None, PROFILE])
def test_damage_is_named_and_put_aside_only_with_fix(
    made: Desk, capsys: pytest.CaptureFixture[str], profile: str | None
) -> None:
    blob = made.one("blobs/*")
    tree = made.one("stages/prep-tool/*/output/tree")
    spoil(blob)
    spoil(tree / "Makefile")
    told = bad(made, capsys, profile)
    assert f"bad: {blob}: its sha256 is " in told
    assert f"bad: {tree.parents[1]}: tree/Makefile has changed" in told
    assert "4 were bad and are out of the way" in verify(profile, made.place, fix=True)
    assert "; kept as " in capsys.readouterr().out
    assert not blob.exists()
    made.prepare()
    assert verify(None, made.place, fix=False).startswith("read: 1 cached sources, 3 finished")


def test_what_is_no_blob_is_kept_for_its_owner(
    made: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (made.cache.blobs / "notes.txt").write_text("mine")
    (made.cache.blobs / ("0" * 64)).mkdir()
    told = bad(made, capsys)
    assert "blobs/notes.txt: 'notes.txt' is not a SHA-256 digest" in told
    assert f"blobs/{'0' * 64}: Is a directory" in told
    verify(None, made.place, fix=True)
    assert (made.cache.aside / "unknown-blobs-notes.txt").read_text() == "mine"


def test_an_output_without_its_manifest_goes(
    made: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    place = made.one("stages/unpack-tool/*/stage.sha256")
    place.unlink()
    assert f"bad: {place.parent}: it has no manifest with digests" in bad(made, capsys)
    verify(None, made.place, fix=True)
    assert "; removed" in capsys.readouterr().out
    assert not place.parent.exists()


def published(made: Desk, root: Path) -> Path:
    site = Site(root / "site")
    target = made.project.artifacts(PROFILE)
    done, renewed = {"vm": site.commit("vm")}, {"vm": ""}
    publish.publish(
        target, PUBLICATIONS, done, renewed, profile=PROFILE, flavour="vm", base="debian12"
    )
    return target


def test_a_published_folder_that_has_changed_is_withdrawn(
    made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = published(made, tmp_path)
    assert "2 published files; all are good" in verify(PROFILE, made.place, fix=False)
    spoil(target / "vm" / "deep" / "file")
    told = bad(made, capsys, PROFILE)
    assert told == f"bad: {target}/vm/deep/file: vm/deep/file has changed\n"
    verify(PROFILE, made.place, fix=True)
    assert "vm/ was removed, the next build publishes it again" in capsys.readouterr().out
    assert not (target / "vm").exists()
    assert "all are good" in verify(None, made.place, fix=False)


def test_a_record_that_cannot_be_read_is_removed(
    made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = published(made, tmp_path) / publish.RECORD
    record.write_text("{")
    assert f"bad: {record}: " in bad(made, capsys)
    verify(None, made.place, fix=True)
    assert "removed, the next build writes it anew" in capsys.readouterr().out
    assert not record.exists()


def test_a_size_that_the_pinned_bytes_do_not_have_is_refused_with_its_line(made: Desk) -> None:
    text = re.sub(r"size = \d+", "size = 7", made.lock.read_text())
    made.lock.write_text(text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "size" in one)
    with pytest.raises(UsageError, match=f"small/sources.lock:{line} cannot be used"):
        verify(PROFILE, made.place, fix=False)


def test_without_a_cache_it_says_so_and_makes_none(tmp_path: Path) -> None:
    new = desk.make(tmp_path)
    assert "read: 0 cached sources" in verify(None, new.place, fix=False)
    assert f"there is no cache yet at {new.cache.root}" in new.said.getvalue()
    assert not new.cache.root.exists()
    with pytest.raises(UsageError, match="there is no profile 'smal'"):
        verify("smal", new.place, fix=True)
    assert not new.cache.root.exists()
