"""What lies in the cache is as it was made, or is told, put aside and made anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from builder.host import ownership
from builder.host.paths import Cache
from builder.report import publish
from tests import world
from tests.damage import spoil
from tests.unit.report.test_publish import PUBLICATIONS, Site
from tests.world import World

SMALL = ("--profile", "small")


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A small project whose prepared tree is in a cache of its own, to be damaged."""
    made = world.make(tmp_path / "project", tmp_path / "cache")
    ended = made.run("patch", *SMALL)
    assert ended.status == 0, ended.errors
    return made


def one(own: World, pattern: str) -> Path:
    (found,) = own.cache.glob(pattern)
    return found


def test_a_good_cache_is_good(own: World) -> None:
    ended = own.run("verify")
    assert ended.status == 0, ended.errors
    assert ended.output == (
        "read: 1 cached sources, 3 finished stages, 0 published files; all are good\n"
    )
    assert own.run("verify", *SMALL).output == ended.output


@pytest.mark.parametrize("scope", [(), SMALL], ids=["everything", "profile"])
def test_what_is_damaged_is_named_and_left_alone(own: World, scope: tuple[str, ...]) -> None:
    blob = one(own, "blobs/*")
    tree = one(own, "stages/prep-tool/*/output/tree")
    spoil(blob)
    spoil(tree / "Makefile")
    ended = own.run("verify", *scope)
    assert ended.status == 4
    lines = ended.output.splitlines()
    assert lines[0].startswith(f"bad: {blob}: its sha256 is ")
    assert f"bad: {tree.parents[1]}: tree/Makefile has changed" in lines
    assert len(lines) == 4  # the blob has two names, and Makefile too
    assert "failed: 4 of what was read is not as it was made" in ended.errors
    assert "next:  put it aside with: invoke verify --fix" in ended.errors
    assert not list(own.cache.glob("aside/*"))
    assert own.run("verify", *scope).status == 4


def test_fix_puts_aside_what_is_damaged_and_the_next_run_makes_it_anew(own: World) -> None:
    spoil(one(own, "blobs/*"))
    ended = own.run("verify", "--fix")
    assert ended.status == 0, ended.errors
    assert "; kept as " in ended.output
    assert ended.output.endswith("2 were bad and are out of the way\n")
    assert len(list(own.cache.glob("aside/*"))) == 2
    assert own.run("verify").status == 0
    again = own.run("patch", *SMALL)
    assert "fetch:tool: done" in again.errors
    assert own.run("verify").output.startswith("read: 1 cached sources, 3 finished stages")


def test_published_files_are_held_against_their_digests(own: World, tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    target = own.project / "artifacts" / "small"
    publish.publish(
        target,
        PUBLICATIONS,
        {"vm": site.commit("vm")},
        {"vm": ""},
        profile="small",
        flavour="vm",
        base="debian12",
    )
    assert own.run("verify", *SMALL).output.endswith("2 published files; all are good\n")
    spoil(target / "vm" / "deep" / "file")
    ended = own.run("verify", *SMALL)
    assert ended.status == 4
    assert ended.output == f"bad: {target}/vm/deep/file: vm/deep/file has changed\n"
    assert own.run("verify", "--fix").status == 0
    assert not (target / "vm").exists()
    assert own.run("verify", *SMALL).status == 0


@pytest.mark.parametrize("words", [("verify",), ("verify", "--fix")])
def test_somebody_s_folder_is_not_judged(
    own: World, tmp_path: Path, words: tuple[str, ...]
) -> None:
    own.cache = tmp_path / "photos"
    files = (own.cache / "stages/holiday/paris/photo.jpg", own.cache / "blobs/notes.txt")
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("mine")
    before = sorted(own.cache.rglob("*"))
    ended = own.run(*words)
    assert ended.status == 2, ended.output
    assert "is not the builder's cache" in ended.errors
    assert "--fix" not in ended.errors
    assert sorted(own.cache.rglob("*")) == before
    assert [file.read_text() for file in files] == ["mine", "mine"]


def test_without_a_cache_it_says_so_and_makes_none(own: World, tmp_path: Path) -> None:
    own.cache = tmp_path / "none"
    ended = own.run("verify")
    assert ended.status == 0, ended.errors
    assert f"there is no cache yet at {own.cache}" in ended.errors
    assert not own.cache.exists()


def test_fix_without_a_cache_makes_one_of_ours(own: World, tmp_path: Path) -> None:
    own.cache = tmp_path / "none"
    assert own.run("verify", "--fix").status == 0
    assert ownership.examine(Cache(own.cache)) is ownership.State.MARKED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("words", [("verify",), ("verify", "--fix")])
def test_root_fixes_nobody_else_s_cache(own: World, words: tuple[str, ...]) -> None:
    spoil(one(own, "blobs/*"))
    os.chown(own.cache, 12345, 12345)
    before = sorted(own.cache.rglob("*"))
    ended = own.run(*words)
    assert ended.status == 7, ended.output
    assert "belongs to another user" in ended.errors
    assert sorted(own.cache.rglob("*")) == before


@pytest.mark.parametrize("size", ["7", "9000000000000000000"])
def test_a_pinned_size_that_the_bytes_do_not_have_is_refused(own: World, size: str) -> None:
    lock = own.project / "specs" / "small" / "sources.lock"
    text = re.sub(r"size = \d+", f"size = {size}", lock.read_text())
    lock.write_text(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "size" in one)
    for words in (("verify",), ("verify", *SMALL), ("fetch", "--locked", *SMALL)):
        ended = own.run(*words)
        assert ended.status == 2, (words, ended.errors)
        assert f"failed: specs/small/sources.lock:{line} cannot be used" in ended.errors
        assert "tool.upstream.size: " in ended.errors
    one(own, "stages/fetch-tool/*").rename(own.cache / "gone")
    one(own, "blobs/*").unlink()
    assert own.run("fetch", "--locked", *SMALL).status == 2
    assert own.run("fetch", "--update", *SMALL).status == 0
    assert own.run("verify").status == 0
    assert own.run("fetch", "--locked", *SMALL).status == 0
    lock.write_text(text.replace(size, "1e23"))
    assert own.run("verify").status == 2


def test_an_unknown_profile_is_refused(own: World) -> None:
    ended = own.run("verify", "--profile", "smal")
    assert ended.status == 2
    assert "there is no profile 'smal'" in ended.errors


def test_what_is_no_blob_and_no_output_is_told(own: World) -> None:
    (own.cache / "blobs" / "notes.txt").write_text("mine")
    manifest = one(own, "stages/unpack-tool/*/stage.json")
    manifest.write_text(manifest.read_text().replace('"listing": "', '"listing": "../'))
    ended = own.run("verify")
    assert ended.status == 4
    assert "blobs/notes.txt: 'notes.txt' is not a SHA-256 digest" in ended.output
    assert f"bad: {manifest.parent}: it has no manifest with digests" in ended.output
    assert own.run("verify", "--fix").status == 0
    assert own.run("verify").status == 0


def test_a_blob_exchanged_for_another_of_the_same_size_ends_in_good_bytes(own: World) -> None:
    blob = one(own, "blobs/*")
    good = blob.read_bytes()
    spoil(blob)
    for stages in ("fetch-tool", "unpack-tool", "prep-tool"):  # as if another profile came
        one(own, f"stages/{stages}/*").rename(own.cache / f"gone-{stages}")
    ended = own.run("patch", *SMALL)
    assert ended.status == 0, ended.errors
    assert "tool: tool-1.0.tar.gz in the cache is damaged: its sha256 is" in ended.errors
    assert "tool: from file:tool-1.0.tar.gz" in ended.errors
    assert one(own, "blobs/*").read_bytes() == good


def test_a_damaged_blob_without_its_location_ends_in_three_lines(own: World) -> None:
    spoil(one(own, "blobs/*"))
    (own.project / "tool-1.0.tar.gz").unlink()
    one(own, "stages/fetch-tool/*").rename(own.cache / "gone")
    ended = own.run("patch", *SMALL)
    assert ended.status == 4
    failed, cause = ended.errors.index("failed: tool-1.0.tar.gz in"), ended.errors.index("cause: ")
    assert failed < cause < ended.errors.index("next:  ")
    assert "Traceback" not in ended.errors


def test_a_tree_that_was_edited_in_the_cache_is_made_anew(own: World) -> None:
    tree = one(own, "stages/unpack-tool/*/output/tree")
    spoil(tree / "tool.c")
    own.write_patches(say_three=world.PATCH.replace("two", "three"))
    ended = own.run("patch", *SMALL)
    assert ended.status == 0, ended.errors
    said = "unpack:tool: its output in the cache has changed since it was made: tree/tool.c has ch"
    assert said in ended.errors
    assert own.run("verify").status == 0


def test_patching_changes_no_file_of_the_pristine_tree(own: World) -> None:
    pristine = one(own, "stages/unpack-tool/*/output/tree")
    patched = one(own, "stages/prep-tool/*/output/tree")
    assert (pristine / "Makefile").samefile(patched / "Makefile")
    assert not (pristine / "tool.c").samefile(patched / "tool.c")
    assert (pristine / "tool.c").read_text() == world.SOURCE["tool.c"]


MORE = """\
--- a/only/one
+++ /dev/null
@@ -1 +0,0 @@
-one
--- /dev/null
+++ b/new/deep/file
@@ -0,0 +1 @@
+new
"""


def test_a_patched_tree_is_listed_as_it_is(own: World) -> None:
    """Files and folders that come and go are known without the tree having been read."""
    own.write_source({**world.SOURCE, "only/one": "one\n"})
    own.write_patches(say_two=world.PATCH, more=MORE)
    ended = own.run("patch", *SMALL)
    assert ended.status == 0, ended.errors
    (tree,) = (path.parent for path in own.cache.glob("stages/prep-tool/*/output/tree/new"))
    assert not (tree / "only").exists()
    assert (tree / "new/deep/file").read_text() == "new\n"
    assert own.run("verify").status == 0


def test_an_editor_in_sources_changes_neither_cache_nor_checkout(own: World) -> None:
    extra = own.project / "specs/small/tool/extra.conf"
    extra.parent.mkdir()
    extra.write_text("theirs\n")
    extra.chmod(0o600)
    ended = own.run("tree", *SMALL)
    assert ended.status == 0, ended.errors
    sources = own.project / "artifacts/small/tree/tool/rpmbuild/SOURCES"
    files = sorted(sources.iterdir())
    assert [path.name for path in files] == ["extra.conf", "say_two.patch", "tool-1.0.tar.gz"]
    for path in files:
        assert path.stat().st_nlink == 1
        assert path.stat().st_mode & 0o777 == 0o644
        path.write_bytes(b"edited")
    assert extra.read_text() == "theirs\n"
    assert own.run("verify").status == 0


def test_a_tree_is_laid_out_of_good_bytes(own: World) -> None:
    patch = one(own, "stages/prep-tool/*/output/patches/say_two.patch")
    good = patch.read_bytes()
    spoil(patch)
    ended = own.run("tree", *SMALL)
    assert ended.status == 0, ended.errors
    assert "prep:tool: its output in the cache has changed since it was made" in ended.errors
    laid = own.project / "artifacts/small/tree/tool/rpmbuild/SOURCES/say_two.patch"
    assert laid.read_bytes() == good
