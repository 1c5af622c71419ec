"""What a patch came out of, and what it fixes, decides on the advice and on its use."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import PatchError, UsageError
from builder.patch import series
from builder.patch.apply import apply, check
from builder.patch.fix import Fix
from builder.patch.series import Series
from builder.profile import load
from tests.support.patch import gnu
from tests.support.patch.tree import Bench
from tests.world import ROOT

PATCH = "--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n 1\n 2\n-3\n+three\n 4\n 5\n"
ORIGIN = "tools.tar.gz (source tools)"
ADVICE = "ask for the archive again"


def brought(bench: Bench, text: str, *, crlf: bool = False) -> Series:
    """A series of one patch that came out of an archive."""
    path = bench.folder / "theirs.patch"
    path.write_bytes(text.encode())
    return series.join(bench.folder, [series.read(path, ORIGIN, crlf=crlf)])


@pytest.mark.parametrize(
    "text",
    [
        PATCH[:-15],
        PATCH[: PATCH.index("-3")],
        PATCH.replace("\n", "\r\n"),
        "<html>not found</html>\n",
        PATCH.replace("-3", "-drei"),
        PATCH.replace("a/x", "a/y").replace("b/x", "b/y"),
        PATCH.replace("-3\n+three", "-three\n+3"),
    ],
    ids=["cut", "cut short", "crlf", "html", "rejected", "missing", "applied"],
)
def test_a_patch_out_of_an_archive_is_to_be_asked_for_again(bench: Bench, text: str) -> None:
    bench.lay("x")
    with pytest.raises(PatchError) as caught:
        apply(brought(bench, text), bench.tree)
    assert caught.value.exit_code == 5
    assert ADVICE in caught.value.hint
    assert "tools.tar.gz" in caught.value.hint
    assert "theirs.patch" in caught.value.what
    assert str(bench.folder) not in f"{caught.value.what} {caught.value.hint}"


def test_ones_own_patch_is_to_be_edited(bench: Bench) -> None:
    bench.lay("x").put("0001.patch", PATCH.replace("-3", "-drei"))
    with pytest.raises(PatchError) as caught:
        apply(bench.load(), bench.tree)
    assert ADVICE not in caught.value.hint
    assert "rework this hunk" in caught.value.hint


def test_an_author_may_write_crlf(bench: Bench) -> None:
    bench.lay("x")
    apply(brought(bench, PATCH.replace("\n", "\r\n"), crlf=True), bench.tree)
    assert (bench.tree / "x").read_bytes().startswith(b"1\n2\nthree\n4\n")


FAULT = Fix(patch="0002.patch", file="x", fault="20", says="a twenty")


def fixing(bench: Bench, fix: Fix) -> Series:
    bench.put("0001.patch", PATCH)
    bench.put("0002.patch", "--- a/x\n+++ b/x\n@@ -19,3 +19,3 @@\n 19\n-20\n+twenty\n 21\n")
    loaded = bench.load()
    patches = [replace(one, fix=fix if one.name == fix.patch else None) for one in loaded.patches]
    return series.join(bench.folder, patches)


def test_a_fix_is_applied_where_its_fault_is(bench: Bench) -> None:
    wanted = fixing(bench.lay("x"), FAULT)
    report = apply(wanted, bench.tree)
    assert "twenty\n" in (bench.tree / "x").read_text()
    assert "left out" not in "\n".join(report.lines())


def test_a_fix_is_left_out_where_its_fault_is_not_and_that_is_told(
    bench: Bench, tmp_path: Path
) -> None:
    bench.lay("x")
    (bench.tree / "x").write_text((bench.tree / "x").read_text().replace("20\n", "zwanzig\n"))
    kept = tmp_path / "kept"
    kept.mkdir()
    report = apply(fixing(bench, FAULT), bench.tree, keep=kept)
    assert "three\n" in (bench.tree / "x").read_text()
    assert "zwanzig\n" in (bench.tree / "x").read_text()
    assert report.lines()[-1] == (
        "0002.patch: left out: x has not the fault that it fixes (a twenty)"
    )
    assert [path.name for path in kept.iterdir()] == ["0001.patch"]


def test_a_fix_of_a_fault_in_another_form_says_what_it_is(bench: Bench) -> None:
    bench.lay("x")
    text = (bench.tree / "x").read_text().replace("19\n20\n21\n", "nineteen\n20 and more\n22\n")
    (bench.tree / "x").write_text(text)
    with pytest.raises(PatchError) as caught:
        apply(fixing(bench, FAULT), bench.tree)
    assert "a twenty" in caught.value.hint
    assert "leave the patch out: remove 0002.patch" in caught.value.hint


def test_a_fault_is_found_whatever_blanks_it_has(bench: Bench) -> None:
    bench.lay()
    (bench.tree / "x").write_text("\t*( ptr+i )\n\t\t= 1;\n")
    assert Fix(patch="p", file="x", fault="*(ptr + i) = 1", says="-").is_needed(bench.tree)
    assert not Fix(patch="p", file="x", fault="*(ptr + j) = 1", says="-").is_needed(bench.tree)
    assert not Fix(patch="p", file="y", fault="*(ptr + i) = 1", says="-").is_needed(bench.tree)


def test_a_fix_must_be_for_the_file_that_it_touches(bench: Bench) -> None:
    other = Fix(patch="0002.patch", file="y", fault="20", says="a twenty")
    with pytest.raises(UsageError, match="does not touch y"):
        check(fixing(bench.lay("x"), other), bench.tree)


@pytest.mark.parametrize("profile", ["el6", "lts"])
def test_the_fixes_of_our_profiles_are_in_their_series(profile: str) -> None:
    """And their faults are what the patches take away."""
    for name, component in load.load(ROOT / "specs", profile).component.items():
        for fix in component.fixes:
            patch = series.read(ROOT / "patches" / profile / name / fix.patch)
            file = next(file for file in patch.files if fix.file in file.paths)
            before = b"".join(hunk.before for hunk in file.hunks)
            after = b"".join(hunk.after for hunk in file.hunks)
            bare = b"".join(fix.fault.encode().split())
            assert bare in b"".join(before.split())
            assert bare not in b"".join(after.split())


def test_el6_says_which_fault_its_patch_fixes() -> None:
    profile = tomllib.loads((ROOT / "specs/el6/profile.toml").read_text())
    assert profile["component"]["kernel"]["fixes"]


@pytest.mark.parametrize("spoilt", ["newline", "crlf", "mode", "blanks"])
def test_what_is_kept_is_what_plain_patch_takes(bench: Bench, tmp_path: Path, spoilt: str) -> None:
    """The source RPM gets it, whose %prep has other options and maybe an older patch(1)."""
    bench.lay("x")
    text = {
        "newline": PATCH.removesuffix("\n"),
        "crlf": PATCH.replace("\n", "\r\n"),
        "mode": "diff --git a/n b/n\nnew file mode 100755 \n--- /dev/null\n+++ b/n\n"
        "@@ -0,0 +1 @@\n+n\n",
        "blanks": PATCH.replace(" 5\n", ""),
    }[spoilt]
    if spoilt == "blanks":
        (bench.tree / "x").write_text("1\n2\n3\n4\n\n6\n")
    if spoilt == "crlf":
        (bench.tree / "x").write_bytes((bench.tree / "x").read_bytes().replace(b"\n", b"\r\n"))
    bench.put("0001.patch", text)
    kept = tmp_path / "kept"
    kept.mkdir()
    pristine = gnu.state(bench.tree)
    with_patch = bench.load()
    (tmp_path / "again").mkdir()
    for name, (data, _) in pristine.items():
        (tmp_path / "again" / name).write_bytes(data)
    apply(with_patch, bench.tree, keep=kept)
    answer = gnu.apply(tmp_path / "again", (kept / "0001.patch").read_bytes(), tmp_path, fuzz=0)
    assert answer.applied, answer.text
    assert answer.tree == gnu.state(bench.tree)
    assert answer.tree != pristine
