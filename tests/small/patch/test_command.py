"""What becomes of a patch on its way from the series, or an archive, into the source RPM."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.world import PATCH, SOURCE, World

SMALL = ("--profile", "small")
FIXES = """
[[component.tool.fixes]]
patch = "three.patch"
file = "tool.c"
fault = 'puts("{fault}")'
says = "a number that is too small"
"""
THREE = PATCH.replace('"two"', '"three"').replace('"one"', '"two"')
FOREIGN = """
[source.tools]
file = "tools-1.tar.gz"
locations = [{ url = "file:tools-1.tar.gz" }]
"""


def sources(world: World) -> Path:
    """The tool's rpmbuild tree, made anew; what %prep does there is done."""
    ended = world.run("tree", "--only", "tool", *SMALL)
    assert ended.status == 0, ended.errors
    (found,) = world.project.glob("artifacts/small/tree/tool/**/SOURCES")
    return found


def prepared(world: World) -> str:
    """The tool's source as %prep of its source RPM makes it, with the plain patch(1)."""
    folder = sources(world)
    spec = (folder.parent / "SPECS/tool.spec").read_text()
    (name,) = (line.split()[1] for line in spec.splitlines() if line.startswith("Patch"))
    made = world.project / "by-hand"
    made.mkdir()
    (made / "tool.c").write_text(SOURCE["tool.c"])
    words = ["patch", "-p1", "-s", "-f", "--fuzz=0", "-i", str(folder / name)]
    subprocess.run(words, cwd=made, check=True)
    return (made / "tool.c").read_text()


@pytest.mark.parametrize("spoilt", ["line ends", "newline", "blanks"])
def test_the_source_rpm_gets_a_patch_that_every_patch_program_takes(
    small: World, spoilt: str
) -> None:
    text = {
        "line ends": PATCH.replace("\n", "\r\n"),
        "newline": PATCH.removesuffix("\n"),
        "blanks": PATCH.replace("+++ b/tool.c\n", "+++ b/tool.c 2026-01-02 03:04:05\n"),
    }[spoilt]
    small.write_patches(say_two=text)
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 0, ended.errors
    assert 'puts("two")' in prepared(small)


def test_a_cut_patch_of_ones_own_ends_with_status_5_and_its_line(small: World) -> None:
    small.write_patches(say_two=PATCH[: PATCH.index("+\tputs")])
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 5
    assert "say_two.patch:9" in ended.errors
    assert "cut" in ended.errors
    assert "archive" not in ended.errors


def brought(small: World, text: str, more: str = "") -> None:
    """Let the tool's patch come out of an archive."""
    with tarfile.open(small.project / "tools-1.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("tools/theirs.patch")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    path = small.project / "specs/small/profile.toml"
    table = f'packages = ["tool"]\npatches = [{{ source = "tools", file = "theirs.patch"{more} }}]'
    path.write_text(path.read_text().replace('packages = ["tool"]', table) + FOREIGN)
    small.write_patches()


@pytest.mark.parametrize("spoilt", ["line ends", "cut"])
def test_a_spoilt_patch_out_of_an_archive_is_not_to_be_edited(small: World, spoilt: str) -> None:
    text = PATCH.replace("\n", "\r\n") if spoilt == "line ends" else PATCH[:-40]
    brought(small, text)
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 5
    assert "theirs.patch" in ended.errors
    assert "tools-1.tar.gz (source tools): ask for the archive again" in ended.errors
    assert str(small.cache) not in ended.errors


def test_a_profile_may_say_that_a_patch_has_crlf_by_origin(small: World) -> None:
    brought(small, PATCH.replace("\n", "\r\n"), ", crlf = true")
    assert small.run("patch", "--check", *SMALL).status == 0


@pytest.mark.parametrize("fault", ["two", "seven"])
def test_a_fix_is_packed_only_where_its_fault_is(small: World, fault: str) -> None:
    small.write_patches(say_two=PATCH, three=THREE)
    path = small.project / "specs/small/profile.toml"
    path.write_text(path.read_text() + FIXES.replace("{fault}", fault))
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 0, ended.errors
    told = "three.patch: left out: tool.c has not the fault that it fixes (a number that is too"
    assert (told in ended.output) == (fault == "seven")
    folder = sources(small)
    spec = (folder.parent / "SPECS/tool.spec").read_text()
    packed = {path.name for path in folder.glob("*.patch")}
    assert packed == {"say_two.patch", *(["three.patch"] if fault == "two" else [])}
    assert ("three.patch" in spec) == (fault == "two")
