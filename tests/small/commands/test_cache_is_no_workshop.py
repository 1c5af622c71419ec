"""Nobody is sent into the cache, and what is edited there is noticed and made anew."""

from __future__ import annotations

import io
import stat
import subprocess
import tarfile
from pathlib import Path

from tests import world
from tests.world import PATCH, World

WRONG = PATCH.replace('puts("one")', 'puts("none")')


def _with_foreign_patch(own: World) -> None:
    """The tool's patch comes out of another source, and does not fit."""
    with tarfile.open(own.project / "more.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("more/fix.patch")
        member.size = len(WRONG)
        archive.addfile(member, io.BytesIO(WRONG.encode()))
    profile = own.project / "specs/small/profile.toml"
    text = profile.read_text().replace(
        'packages = ["tool"]',
        'packages = ["tool"]\npatches = [{ source = "more", file = "fix.patch" }]',
    )
    more = 'file = "more.tar.gz"\nlocations = [{ url = "file:more.tar.gz" }]\n'
    profile.write_text(f"{text}\n[source.more]\n{more}")
    own.write_patches()


def test_what_is_edited_in_the_cache_is_noticed_and_made_anew(tmp_path: Path) -> None:
    own = world.make(tmp_path / "project", tmp_path / "cache")
    _with_foreign_patch(own)
    words = ("patch", "--check", "--profile", "small")
    first = own.run(*words)
    assert first.status == 5, first.errors
    hint = first.errors.splitlines()[-1]
    assert str(own.cache) not in hint
    (patch,) = own.cache.glob("stages/unpack-more/*/output/tree/fix.patch")
    (tree,) = own.cache.glob("stages/unpack-tool/*/output/tree")
    for path in (patch, patch.parent, tree):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    patch.chmod(0o644)
    subprocess.run(["sed", "-i", "s/none/one/", patch], check=True)
    again = own.run(*words)
    assert again.status == 5, again.output
    assert "unpack:more: its output in the cache has changed since it was made" in again.errors
    source = tree / "tool.c"
    subprocess.run(["sed", "-i", "s/one/none/", source], check=True)
    third = own.run(*words)
    assert third.status == 5, third.output
    assert "unpack:tool: its output in the cache has changed since it was made" in third.errors
    assert "one" in source.read_text()


def test_an_edited_tree_is_patched_as_before(tmp_path: Path) -> None:
    """The patched tree can be written to, whatever its pristine one is."""
    own = world.make(tmp_path / "project", tmp_path / "cache")
    assert own.run("patch", "--profile", "small").status == 0
    (tree,) = own.cache.glob("stages/prep-tool/*/output/tree")
    assert stat.S_IMODE(tree.stat().st_mode) == 0o755
    assert "two" in (tree / "tool.c").read_text()
    ended = own.run("clean", "--all", "--yes")
    assert ended.status == 0, ended.errors
    assert not list(own.cache.glob("stages/*"))
