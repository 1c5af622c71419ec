"""Every hunk's outcome is told, and a series is applied in full or not at all."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.errors import PatchError, VerificationError
from builder.patch.apply import apply, attempt, check
from builder.patch.report import FileReport, HunkOutcome, HunkReport, PatchReport, SeriesReport
from builder.patch.series import load
from tests.support.patch.tree import Bench, replace


def snapshot(tree: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path.relative_to(tree)): (path.read_bytes(), path.stat().st_mode, path.stat().st_ino)
        for path in tree.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def outcomes(report: SeriesReport) -> list[HunkOutcome]:
    return [hunk.outcome for patch in report.patches for file in patch.files for hunk in file.hunks]


def test_clean_hunks_are_applied_and_told(bench: Bench) -> None:
    bench.plain("a/x").record("0001.patch", replace("a/x", "20", "twenty"))
    report = apply(bench.load(), bench.tree)
    assert outcomes(report) == [HunkOutcome.CLEAN]
    assert report.lines() == ("0001.patch: 1 file, 1 hunk: 1 clean",)
    assert "twenty\n" in (bench.tree / "a/x").read_text()


def test_check_touches_nothing(bench: Bench) -> None:
    bench.plain("x", "y").record("0001.patch", replace("x", "20", "twenty"))
    before = snapshot(bench.tree)
    assert not check(bench.load(), bench.tree).failed
    assert snapshot(bench.tree) == before


def test_a_later_patch_builds_on_an_earlier_one(bench: Bench) -> None:
    bench.plain("x")
    bench.record("0001.patch", replace("x", "20", "twenty"))
    replace("x", "20", "twenty")(bench.tree)
    bench.git("commit", "-qam", "first")
    bench.record("0002.patch", replace("x", "21", "twenty-one"))
    replace("x", "twenty", "20")(bench.tree)
    assert outcomes(check(bench.load(), bench.tree)) == [HunkOutcome.CLEAN, HunkOutcome.CLEAN]


@pytest.mark.parametrize(("lines", "offset"), [(["0", "00"], 2), ([], -3)])
def test_an_offset_is_told(bench: Bench, lines: list[str], offset: int) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    old = (bench.tree / "x").read_text().split("\n")
    (bench.tree / "x").write_text("\n".join(lines + old if offset > 0 else old[3:]))
    report = apply(bench.load(), bench.tree)
    assert report.patches[0].files[0].hunks[0].offset == offset
    assert report.lines()[0] == f"0001.patch: 1 file, 1 hunk: 1 offset {offset}"
    assert f"line {17 + offset}" in report.lines()[1]


def test_fuzz_is_told_and_bounded(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    replace("x", "17", "other")(bench.tree)
    assert check(bench.load(), bench.tree, max_fuzz=0).failed
    report = apply(bench.load(), bench.tree)
    hunk = report.patches[0].files[0].hunks[0]
    assert (hunk.outcome, hunk.fuzz) == (HunkOutcome.FUZZ, 1)
    assert "1 fuzz 1" in report.lines()[0]


def test_a_rejected_hunk_is_shown_and_leaves_the_tree_alone(bench: Bench) -> None:
    bench.plain("x", "y")
    bench.record("0001.patch", replace("y", "5", "five"))
    bench.record("0002.patch", replace("x", "20", "twenty"))
    replace("x", "20", "changed by upstream")(bench.tree)
    before = snapshot(bench.tree)
    with pytest.raises(PatchError) as caught:
        apply(bench.load(), bench.tree)
    assert snapshot(bench.tree) == before
    assert caught.value.exit_code == 5
    assert "0002.patch" in caught.value.what
    assert "x, hunk 1 of 1, @@ -17,7 +17,7 @@" in caught.value.what
    assert "-20\n+twenty" in caught.value.cause
    assert caught.value.hint
    assert outcomes(check(bench.load(), bench.tree)) == [HunkOutcome.CLEAN, HunkOutcome.REJECTED]


def test_patches_after_a_failure_are_marked(bench: Bench) -> None:
    bench.plain("x")
    bench.record("0001.patch", replace("x", "20", "twenty"))
    bench.record("0002.patch", replace("x", "50", "fifty"))
    replace("x", "20", "other")(bench.tree)
    report = check(bench.load(), bench.tree)
    assert [patch.after_failure for patch in report.patches] == [False, True]
    assert "tried after a failed patch" in report.lines()[-1]


def test_an_applied_patch_is_told_from_a_rejected_one(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    apply(bench.load(), bench.tree)
    report = check(bench.load(), bench.tree)
    assert outcomes(report) == [HunkOutcome.APPLIED]
    with pytest.raises(PatchError, match="already applied"):
        report.require()


def test_one_applied_hunk_among_fresh_ones_is_told(bench: Bench) -> None:
    def both(tree: Path) -> None:
        replace("x", "20", "twenty")(tree)
        replace("x", "50", "fifty")(tree)

    bench.plain("x").record("0001.patch", both)
    replace("x", "50", "fifty")(bench.tree)
    report = check(bench.load(), bench.tree)
    assert outcomes(report) == [HunkOutcome.CLEAN, HunkOutcome.APPLIED]


def test_a_new_file_is_made_with_a_plain_mode(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", lambda tree: (tree / "new").write_text("hello\n"))
    before = os.umask(0o077)
    try:
        report = apply(bench.load(), bench.tree)
    finally:
        os.umask(before)
    assert report.patches[0].files[0].action == "new"
    assert stat.S_IMODE((bench.tree / "new").stat().st_mode) == 0o644


@pytest.mark.parametrize(("there", "words"), [("hello\n", "already applied"), ("no\n", "exist")])
def test_a_new_file_that_exists_is_refused(bench: Bench, there: str, words: str) -> None:
    bench.plain("x").record("0001.patch", lambda tree: (tree / "new").write_text("hello\n"))
    (bench.tree / "new").write_text(there)
    with pytest.raises(PatchError, match=words):
        apply(bench.load(), bench.tree)
    assert (bench.tree / "new").read_text() == there


def test_a_deleted_file_goes_with_its_empty_folder(bench: Bench) -> None:
    bench.plain("x", "d/e/f").record("0001.patch", lambda tree: (tree / "d/e/f").unlink())
    apply(bench.load(), bench.tree)
    assert not (bench.tree / "d").exists()
    assert (bench.tree / "x").exists()
    with pytest.raises(PatchError, match="already applied"):
        apply(bench.load(), bench.tree)


def test_a_file_that_differs_is_not_deleted(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", lambda tree: (tree / "x").unlink())
    with (bench.tree / "x").open("a") as handle:
        handle.write("more\n")
    with pytest.raises(PatchError, match="content differs"):
        apply(bench.load(), bench.tree)
    assert (bench.tree / "x").exists()


def test_a_rename_with_an_edit(bench: Bench) -> None:
    def change(tree: Path) -> None:
        replace("old", "20", "twenty")(tree)
        (tree / "old").rename(tree / "new")

    bench.plain("old").record("0001.patch", change)
    report = apply(bench.load(), bench.tree)
    assert (report.patches[0].files[0].action, outcomes(report)) == ("rename", [HunkOutcome.CLEAN])
    assert not (bench.tree / "old").exists()
    assert "twenty" in (bench.tree / "new").read_text()
    with pytest.raises(PatchError, match="already applied: old has become new"):
        apply(bench.load(), bench.tree)


def test_a_rename_onto_a_file_is_refused(bench: Bench) -> None:
    bench.plain("old").record("0001.patch", lambda tree: (tree / "old").rename(tree / "new"))
    (bench.tree / "new").write_text("precious\n")
    with pytest.raises(PatchError, match="exists already"):
        apply(bench.load(), bench.tree)
    assert (bench.tree / "new").read_text() == "precious\n"


def test_a_rename_of_a_missing_file_names_it(bench: Bench) -> None:
    bench.plain("old").record("0001.patch", lambda tree: (tree / "old").rename(tree / "new"))
    (bench.tree / "old").unlink()
    with pytest.raises(PatchError, match="expects the file old"):
        apply(bench.load(), bench.tree)


def test_a_copy_leaves_its_origin(bench: Bench) -> None:
    bench.plain("x").record(
        "0001.patch", lambda tree: (tree / "y").write_bytes((tree / "x").read_bytes())
    )
    report = apply(bench.load(), bench.tree)
    assert report.lines() == ("0001.patch: 1 file, 0 hunks: 1 copy",)
    assert (bench.tree / "y").read_text() == (bench.tree / "x").read_text()


def test_a_mode_change_breaks_a_hard_link(bench: Bench, tmp_path: Path) -> None:
    bench.plain("x").record("0001.patch", lambda tree: (tree / "x").chmod(0o755))
    (tmp_path / "pristine").hardlink_to(bench.tree / "x")
    report = apply(bench.load(), bench.tree)
    assert report.lines() == ("0001.patch: 1 file, 0 hunks: 1 mode",)
    assert stat.S_IMODE((bench.tree / "x").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "pristine").stat().st_mode) == 0o644


def test_a_pristine_tree_of_hard_links_stays_as_it_was(bench: Bench, tmp_path: Path) -> None:
    bench.plain("x", "y").record("0001.patch", replace("x", "20", "twenty"))
    pristine = tmp_path / "pristine"
    pristine.mkdir()
    for name in ("x", "y"):
        (pristine / name).hardlink_to(bench.tree / name)
    before = snapshot(pristine)
    apply(bench.load(), bench.tree)
    assert snapshot(pristine) == before
    assert (bench.tree / "y").stat().st_ino == (pristine / "y").stat().st_ino
    assert (bench.tree / "x").stat().st_nlink == 1


def test_a_missing_file_is_named_with_those_of_its_name(bench: Bench) -> None:
    bench.plain("net/ip_vs.c").record("0001.patch", replace("net/ip_vs.c", "20", "twenty"))
    (bench.tree / "moved").mkdir()
    (bench.tree / "net/ip_vs.c").rename(bench.tree / "moved/ip_vs.c")
    report = check(bench.load(), bench.tree)
    error = report.failure()
    assert error is not None
    assert "expects the file net/ip_vs.c" in error.cause
    assert "moved/ip_vs.c" in error.cause
    assert "1 file not patched" in report.lines()[0]
    partial = check(bench.load(), bench.tree, names=["else/where/ip_vs.c"]).failure()
    assert partial is not None
    assert "else/where/ip_vs.c" in partial.cause


@pytest.mark.parametrize("goal", ["/etc", "../.."])
def test_a_link_out_of_the_tree_is_refused(bench: Bench, goal: str) -> None:
    bench.plain("d/x").record("0001.patch", replace("d/x", "20", "twenty"))
    (bench.tree / "d/x").unlink()
    (bench.tree / "d").rmdir()
    (bench.tree / "d").symlink_to(goal)
    with pytest.raises(VerificationError, match="outside of it"):
        check(bench.load(), bench.tree)


def test_a_link_inside_the_tree_is_refused_by_name(bench: Bench) -> None:
    bench.plain("x", "y").record("0001.patch", replace("x", "20", "twenty"))
    (bench.tree / "x").unlink()
    (bench.tree / "x").symlink_to("y")
    with pytest.raises(PatchError, match="symbolic link to y"):
        check(bench.load(), bench.tree)


def test_a_folder_in_place_of_the_file_is_refused(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    (bench.tree / "x").unlink()
    (bench.tree / "x").mkdir()
    with pytest.raises(PatchError, match="not a regular file"):
        apply(bench.load(), bench.tree)


def test_a_file_in_place_of_a_folder_is_refused(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", lambda tree: (tree / "new").write_text("hello\n"))
    text = (bench.folder / "0001.patch").read_text().replace("/new", "/x/new")
    (bench.folder / "0001.patch").write_text(text)
    with pytest.raises(PatchError, match="needs a folder"):
        apply(bench.load(), bench.tree)


def test_a_file_without_a_last_newline(bench: Bench) -> None:
    bench.plain("x")
    (bench.tree / "x").write_text("one\ntwo")
    bench.git("commit", "-qam", "no newline")
    bench.record("0001.patch", lambda tree: (tree / "x").write_text("one\n2"))
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_text() == "one\n2"
    assert outcomes(check(bench.load(), bench.tree)) == [HunkOutcome.APPLIED]


def test_carriage_returns_in_a_body_are_kept(bench: Bench) -> None:
    bench.plain("x")
    (bench.tree / "x").write_bytes(b"one\r\ntwo\r\n")
    bench.git("commit", "-qam", "dos")
    bench.record("0001.patch", lambda tree: (tree / "x").write_bytes(b"one\r\n2\r\n"))
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_bytes() == b"one\r\n2\r\n"


def turn_lines(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


@pytest.mark.parametrize("dos", ["file", "patch"])
def test_wrong_line_ends_are_named_and_not_just_rejected(bench: Bench, dos: str) -> None:
    bench.plain("x", "y")
    turn_lines(bench.tree / "x", b"\n", b"\r\n" if dos == "patch" else b"\n")
    bench.git("commit", "-qam", "dos", "--allow-empty")
    bench.record("0001.patch", lambda tree: turn_lines(tree / "x", b"\n20", b"\ntwenty"))
    turned = (b"\n", b"\r\n") if dos == "file" else (b"\r\n", b"\n")
    turn_lines(bench.tree / "x", *turned)
    report = check(bench.load(), bench.tree)
    assert outcomes(report) == [HunkOutcome.REJECTED]
    with pytest.raises(PatchError, match=f"the {dos} has CRLF line ends") as caught:
        report.require()
    assert "line ends of the source" in caught.value.hint
    assert f"the {dos} has CRLF line ends" in "\n".join(report.lines())


def test_a_hunk_that_fits_neither_way_is_not_blamed_on_line_ends(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    replace("x", "20", "other")(bench.tree)
    turn_lines(bench.tree / "x", b"\n", b"\r\n")
    report = check(bench.load(), bench.tree)
    assert "line ends" not in "\n".join(report.lines())


def test_patched_files_can_be_looked_at_without_touching_the_tree(bench: Bench) -> None:
    def change(tree: Path) -> None:
        replace("x", "20", "twenty")(tree)
        (tree / "y").unlink()

    bench.plain("x", "y", "z").record("0001.patch", change)
    with attempt(bench.load(), bench.tree) as trial:
        assert "twenty" in (trial.patched / "x").read_text()
        assert trial.touched == {"x", "y"}
        assert [path.name for path in trial.patched.iterdir()] == ["x"]
    assert "twenty" not in (bench.tree / "x").read_text()
    assert not trial.patched.exists()


def test_a_mailed_patch_with_message_and_signature(bench: Bench) -> None:
    bench.plain("x")
    replace("x", "20", "twenty")(bench.tree)
    bench.git("commit", "-qam", "ipvs: say it in words\n\nHmm...  done\nHunk #1 FAILED at 3.")
    bench.put("0001.patch", bench.git("format-patch", "-1", "--stdout"))
    bench.git("reset", "-q", "--hard", "HEAD~1")
    series = bench.load()
    assert series.patches[0].subject == "ipvs: say it in words"
    assert outcomes(apply(series, bench.tree)) == [HunkOutcome.CLEAN]


def test_a_broken_patch_tool_is_not_taken_for_success(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    tool = tmp_path / "bin" / "patch"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    for script, words in (
        ("exit 0", "it saw 0 files"),
        ("kill -SEGV $$", "tool failed"),
        ("echo 'Hmm...  Looks like a unified diff to me...'; echo surprise", "surprise"),
        ("echo 'Hmm...'; echo patching file x", "it saw hunks"),
        ("echo 'Hmm...'; echo patching file y", "it patched y"),
    ):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        with pytest.raises(PatchError) as caught:
            apply(bench.load(), bench.tree)
        assert words in str(caught.value)
    assert "twenty" not in (bench.tree / "x").read_text()


def test_the_report_is_machine_readable(bench: Bench) -> None:
    bench.plain("x").record("0001.patch", replace("x", "20", "twenty"))
    report = check(bench.load(), bench.tree)
    assert msgspec.json.decode(report.as_json(), type=SeriesReport) == report


LINES = st.lists(st.sampled_from(["", "{", "}", "a", "b", "\treturn 0;", "é", "x\r"]), max_size=40)


@settings(max_examples=60)
@given(old=LINES, new=LINES, shared=LINES)
def test_any_unified_diff_gives_the_expected_file(
    old: list[str], new: list[str], shared: list[str]
) -> None:
    before = [f"{line}\n" for line in [*old, *shared, "end"]]
    after = [f"{line}\n" for line in [*shared, *new, "end"]]
    text = "".join(difflib.unified_diff(before, after, "a/x", "b/x"))
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name) / "tree", Path(name) / "series")
        bench.tree.mkdir()
        bench.folder.mkdir()
        (bench.tree / "x").write_bytes("".join(before).encode())
        if text:
            bench.put("0001.patch", text)
        report = apply(load(bench.folder), bench.tree)
        assert (bench.tree / "x").read_bytes() == "".join(after).encode()
        assert set(outcomes(report)) <= {HunkOutcome.CLEAN}


def test_patches_that_are_clean_take_one_line_together_and_others_their_own() -> None:
    def patch(name: str, outcome: HunkOutcome) -> PatchReport:
        hunk = HunkReport("@@ -1 +1 @@", outcome, 1, offset=int(outcome is not HunkOutcome.CLEAN))
        return PatchReport(name, "a subject", (FileReport("x.c", "change", (hunk,)),))

    clean = [patch(f"{number}.patch", HunkOutcome.CLEAN) for number in range(3)]
    moved = patch("moved.patch", HunkOutcome.OFFSET)
    assert SeriesReport(tuple(clean)).brief() == ("3 patches apply cleanly: 3 files, 3 hunks",)
    assert SeriesReport(tuple(clean[:1])).brief() == ("1 patch applies cleanly: 1 file, 1 hunk",)
    first, *others = SeriesReport((clean[0], moved)).brief()
    assert first == "1 patch applies cleanly: 1 file, 1 hunk"
    assert others == list(moved.lines())
    assert SeriesReport((moved,)).brief() == tuple(moved.lines())
