"""Patches as people and their mail programs write them: taken as GNU patch does, or named."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import os
import quopri
import shlex
import subprocess
from pathlib import Path

import pytest

from builder.errors import BuilderError, PatchError, UsageError, VerificationError
from builder.patch.apply import apply, check
from builder.patch.diff import parse
from builder.patch.report import HunkOutcome
from builder.patch.series import load
from tests.support.patch import gnu
from tests.support.patch.tree import Bench, replace

HUNK = "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"


def diff(old: str = "a/x", new: str = "b/x", hunk: str = HUNK) -> str:
    return f"--- {old}\n+++ {new}\n{hunk}"


def dos(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def require_as_gnu(bench: Bench, text: str | bytes) -> None:
    """The builder's tree is GNU patch's, which applies all of ``text``."""
    data = text if isinstance(text, bytes) else text.encode()
    answer = gnu.apply(bench.tree, data, bench.folder.parent)
    assert answer.applied, answer.text
    bench.put("0001.patch", data)
    apply(bench.load(), bench.tree)
    assert gnu.state(bench.tree) == answer.tree


def refusal(bench: Bench, text: str | bytes, kind: type[BuilderError] = PatchError) -> BuilderError:
    """What is said to a patch that is refused; the tree stays as it was."""
    before = gnu.state(bench.tree)
    bench.put("0001.patch", text)
    with pytest.raises(kind) as caught:
        apply(bench.load(), bench.tree)
    assert gnu.state(bench.tree) == before
    assert caught.value.what
    assert caught.value.cause
    assert caught.value.hint
    return caught.value


# The patch file's end


@pytest.mark.parametrize(
    "hunk",
    [
        HUNK,
        "@@ -59,2 +59,2 @@\n 59\n-60\n+sixty\n",
        "@@ -59,2 +59,1 @@\n 59\n-60\n",
        "@@ -59,2 +59,2 @@\n 59\n-60\n+sixty\n\\ No newline at end of file\n",
        HUNK + "-- \n2.39.5\n",
    ],
    ids=["context", "added", "removed", "mark", "signature"],
)
def test_the_last_newline_may_be_missing(bench: Bench, tmp_path: Path, hunk: str) -> None:
    bench.lay("x")
    whole = gnu.apply(bench.tree, diff(hunk=hunk).encode(), tmp_path)
    assert whole.applied
    bench.put("0001.patch", diff(hunk=hunk).removesuffix("\n"))
    report = apply(bench.load(), bench.tree)
    assert gnu.state(bench.tree) == whole.tree
    assert [hunk.outcome for hunk in report.patches[0].files[0].hunks] == [HunkOutcome.CLEAN]


def test_blank_context_lines_at_the_end_may_be_missing(bench: Bench) -> None:
    bench.lay("x")
    (bench.tree / "x").write_text("1\n2\n\n\n5\n")
    require_as_gnu(bench, diff(hunk="@@ -1,4 +1,4 @@\n 1\n-2\n+two\n"))


def test_a_last_line_that_is_cut_is_not_passed_over_with_fuzz(bench: Bench) -> None:
    whole = diff(hunk="@@ -9,4 +9,4 @@\n 9\n 10\n-11\n+eleven\n 12\n")
    assert "truncated" in str(refusal(bench.lay("x"), whole[:-2]))


def test_fuzz_elsewhere_is_taken_although_the_last_newline_is_missing(bench: Bench) -> None:
    whole = diff(hunk="@@ -9,4 +9,4 @@\n nine\n 10\n-11\n+eleven\n 12\n")
    bench.lay("x").put("0001.patch", whole[:-1])
    apply(bench.load(), bench.tree)
    assert "eleven\n12\n" in (bench.tree / "x").read_text()


def test_a_patch_that_is_cut_is_not_taken_for_one_with_blank_lines(bench: Bench) -> None:
    bench.lay("x")
    cut = diff(hunk="@@ -1,4 +1,4 @@\n 1\n-2\n+two\n")
    assert "truncated" in str(refusal(bench, cut))


@pytest.mark.parametrize("lines", [3, 4, 5, 6])
def test_a_cut_patch_is_said_to_be_cut(bench: Bench, lines: int) -> None:
    text = diff(hunk="@@ -1,9 +1,9 @@\n 1\n-2\n+two\n 3\n 4\n 5\n 6\n 7\n 8\n 9\n")
    error = refusal(bench.lay("x"), "".join(text.splitlines(keepends=True)[:lines]))
    assert error.exit_code == 5
    assert "truncated" in str(error)
    assert "0001.patch:" in str(error)


# Words of a message that look like a diff's


@pytest.mark.parametrize(
    "message",
    [
        "+++ is an operator\n",
        "+++\n",
        "--- see below ---\n",
        "@@ -1 +1 @@\n-1\n+one\n",
        "@@ marks\n",
        "--- a/x\n",
        "--- a/y\n+++ b/y\n",
        "    --- a/y\n    +++ b/y\n",
        "Index: \n",
        "diff --git\n",
        "-- \n",
        "*** stars ***\n",
        "3d\n",
    ],
)
def test_a_message_may_look_like_a_header(bench: Bench, message: str) -> None:
    require_as_gnu(bench.lay("x", "y"), f"Subject: one\n\n{message}\nand so on\n---\n" + diff())


def test_a_whole_diff_in_a_message_is_a_diff(bench: Bench) -> None:
    require_as_gnu(
        bench.lay("x", "y"), f"Like this:\n\n{diff('a/y', 'b/y')}\nand so on\n---\n{diff()}"
    )


def test_several_mails_in_one_file(bench: Bench) -> None:
    bench.plain("x", "y")
    for name in ("x", "y"):
        replace(name, "20", "twenty")(bench.tree)
        bench.git("commit", "-qam", f"change {name}")
    mails = bench.git("format-patch", "-2", "--stdout")
    bench.git("reset", "-q", "--hard", "HEAD~2")
    require_as_gnu(bench, mails)


@pytest.mark.parametrize("blank", ["    ", "\t", "> ", "X"])
def test_an_indented_diff_is_refused_by_name(bench: Bench, blank: str) -> None:
    text = "".join(f"{blank}{line}" for line in diff().splitlines(keepends=True))
    said = str(refusal(bench.lay("x"), text))
    assert "indented" in said or "quoted" in said
    assert "0001.patch:" in said


def test_an_indented_diff_in_a_message_is_refused_with_its_line(bench: Bench) -> None:
    quoted = "".join(f"    {line}" for line in diff("a/y", "b/y").splitlines(keepends=True))
    said = refusal(bench.lay("x", "y"), f"Like this:\n\n{quoted}\n---\n" + diff())
    assert "0001.patch:5" in said.what
    assert "indented" in str(said)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*** a/x\n--- b/x\n***************\n*** 1,2 ****\n  1\n! 2\n--- 1,2 ----\n", "context"),
        ("Index: a/x\n2c2\n< 2\n---\n> two\n", "normal diff"),
        ("Index: a/x\n2c\ntwo\n.\n", "ed script"),
        ("diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 1\n", "binary"),
        ("Binary files a/x and b/x differ\n", "binary"),
        ("- --- a/x\n- +++ b/x\n@@ -1 +1 @@\n- -1\n+one\n", "dashes"),
    ],
)
def test_other_kinds_of_diffs_are_refused_by_name(bench: Bench, text: str, words: str) -> None:
    assert words in str(refusal(bench.lay("x"), text))


# Line ends


@pytest.mark.parametrize("made", ["git", "diff"])
def test_a_crlf_patch_goes_on_an_lf_file(bench: Bench, made: str) -> None:
    text = bench.plain("x").record("0000.patch", replace("x", "20", "twenty"))
    (bench.folder / "series").unlink()
    (bench.folder / "0000.patch").unlink()
    require_as_gnu(bench, (text if made == "git" else diff()).replace("\n", "\r\n"))
    assert b"\r" not in (bench.tree / "x").read_bytes()


def test_a_crlf_patch_goes_on_a_crlf_file(bench: Bench) -> None:
    bench.lay("x")
    dos(bench.tree / "x")
    bench.put("0001.patch", diff().replace("\n", "\r\n"))
    report = apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_bytes().startswith(b"1\r\ntwo\r\n3\r\n")
    assert "CRLF" in "\n".join(report.lines())


def test_a_crlf_patch_leaves_no_lone_carriage_return_at_the_end(bench: Bench) -> None:
    mark = "\\ No newline at end of file\n"
    hunk = f"@@ -1,2 +1,2 @@\n 1\n-2\n{mark}+two\n{mark}"
    bench.lay("x")
    (bench.tree / "x").write_bytes(b"1\r\n2")
    bench.put("0001.patch", diff(hunk=hunk).replace("\n", "\r\n"))
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_bytes() == b"1\r\ntwo"


def test_one_crlf_patch_for_files_of_both_kinds(bench: Bench) -> None:
    bench.lay("x", "y")
    dos(bench.tree / "x")
    bench.put("0001.patch", (diff() + diff("a/y", "b/y")).replace("\n", "\r\n"))
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_bytes().startswith(b"1\r\ntwo\r\n3\r\n")
    assert (bench.tree / "y").read_bytes().startswith(b"1\ntwo\n3\n")


def test_a_crlf_patch_makes_an_lf_file(bench: Bench) -> None:
    new = diff("/dev/null", "b/new", "@@ -0,0 +1,2 @@\n+one\n+two\n")
    require_as_gnu(bench.lay("x"), new.replace("\n", "\r\n"))


def test_carriage_returns_at_header_lines_alone(bench: Bench) -> None:
    require_as_gnu(bench.lay("x"), "--- a/x\r\n+++ b/x\r\n" + HUNK)


def test_a_crlf_patch_with_blanks_lost_at_its_blank_lines(bench: Bench) -> None:
    bench.lay("x")
    text = diff(hunk="@@ -1,4 +1,4 @@\n 1\n\n-2\n+two\n 3\n").replace("\n", "\r\n")
    (bench.tree / "x").write_text("1\n\n2\n3\n")
    require_as_gnu(bench, text)
    (bench.tree / "x").write_bytes(b"1\r\n\r\n2\r\n3\r\n")
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_bytes() == b"1\r\n\r\ntwo\r\n3\r\n"


@pytest.mark.parametrize("file_is_dos", [True, False])
def test_the_hint_for_line_ends_leads_to_a_patch_that_applies(
    bench: Bench, file_is_dos: bool
) -> None:
    bench.lay("x")
    body = HUNK if file_is_dos else HUNK.replace("\n", "\r\n").replace("@@\r\n", "@@\n")
    if file_is_dos:
        dos(bench.tree / "x")
    error = refusal(bench, diff(hunk=body))
    words = [line for line in error.hint.splitlines() if line.startswith("sed ")]
    assert "CRLF" in error.cause
    subprocess.run(shlex.split(words[0]), check=True)
    apply(bench.load(), bench.tree)
    end = b"\r\n" if file_is_dos else b"\n"
    assert (bench.tree / "x").read_bytes().startswith(end.join([b"1", b"two", b"3", b"4"]))


# Names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a/x 2026-01-02 03:04:05.000000000 +0000", "b/x 2026-01-02 03:04:06.000000000 +0000"),
        ("a/x  Fri Jan  2 03:04:05 2026", "b/x    Fri Jan  2 03:04:06 2026"),
        ("a/x\t2026-01-02 03:04:05", "b/x\t2026-01-02 03:04:06"),
        ("a/x\t(revision 1)", "b/x\t(working copy)"),
        ("a/x ", "b/x\t"),
        ('"a/x"', '"b/x"'),
        ('"a/\\170"', "b/x"),
        ("a/my file\t", "b/my file\t"),
        ("a/my file\t2026-01-02 03:04:05", "b/my file\t2026-01-02 03:04:06"),
        ('"a/caf\\303\\251"', '"b/caf\\303\\251"'),
        ("a/caf\u00e9", "b/caf\u00e9"),
        ('"a/\\"x\\\\"', '"b/\\"x\\\\"'),
    ],
)
def test_what_may_stand_behind_a_name(bench: Bench, old: str, new: str) -> None:
    require_as_gnu(bench.lay("x", "my file", "caf\u00e9", '"x\\'), diff(old, new))


def test_a_file_goes_by_a_time_of_zero_behind_blanks(bench: Bench) -> None:
    gone = "".join(f"-{number}\n" for number in range(1, 61))
    hunk = f"@@ -1,60 +0,0 @@\n{gone}"
    bench.lay("x", "y")
    require_as_gnu(bench, diff("a/x", "b/x 1970-01-01 00:00:00.000000000 +0000", hunk))
    assert not (bench.tree / "x").exists()


@pytest.mark.parametrize(
    ("old", "new", "there"),
    [
        ("a/x.orig", "b/x", ["x", "x.orig"]),
        ("a/x", "b/x.new", ["x", "x.new"]),
        ("a/x", "b/x.new", ["x.new"]),
        ("a/x.orig", "b/x", ["x.orig"]),
        ("a/d/x", "b/x", ["d/x", "x"]),
        ("a/x", "b/d/x", ["d/x", "x"]),
        ("a/x", "b/d/x", ["d/x"]),
        ("a/xy", "b/zz", ["xy", "zz"]),
        ("a/zz", "b/xy", ["xy", "zz"]),
        ("a/long/x", "b/d/x", ["long/x", "d/x"]),
        ("x", "b/x", ["x"]),
        ("a/x", "x", ["x"]),
        ("old/x", "b/x~", ["x", "x~"]),
    ],
)
def test_the_name_is_chosen_as_gnu_patch_does(
    bench: Bench, old: str, new: str, there: list[str]
) -> None:
    require_as_gnu(bench.lay(*there), diff(old, new))


def test_where_gnu_patch_s_versions_choose_differently_the_host_s_decides(bench: Bench) -> None:
    """2.7.6 takes the first of two names that exist; 2.8 finds neither."""
    text = diff("a/d/longer", "b/longest/x")
    answer = gnu.apply(bench.lay("d/longer", "longest/x").tree, text.encode(), bench.folder.parent)
    if answer.applied:
        require_as_gnu(bench, text)
    else:
        assert "can't find file to patch" in str(refusal(bench, text))


@pytest.mark.parametrize(
    ("old", "new", "there"),
    [
        ("a/new", "b/new", ["d/x"]),
        ("a/d/new", "b/e/f/new", ["d/x"]),
        ("a/e/f/new", "b/d/new", ["d/x"]),
        ("a/deep/er/new", "b/d/n", ["deep/er/x", "d/x"]),
        ("/dev/null", "b/new", ["x"]),
        ("a/new 1970-01-01 00:00:00 +0000", "b/newer", ["x"]),
        ("a/new", "b/d/new", ["d/x"]),
    ],
)
def test_the_name_of_a_new_file_is_chosen_as_gnu_patch_does(
    bench: Bench, old: str, new: str, there: list[str]
) -> None:
    require_as_gnu(bench.lay(*there), diff(old, new, "@@ -0,0 +1,1 @@\n+hello\n"))


@pytest.mark.parametrize("after", ["", "--- \n+++ \n", "--- x\n+++ x\n"])
def test_an_index_line_names_the_file_where_nothing_else_does(bench: Bench, after: str) -> None:
    require_as_gnu(bench.lay("x", "y"), f"Index: foo/x\n=======\n{after}{HUNK}")


def test_an_index_line_does_not_outweigh_the_header(bench: Bench) -> None:
    require_as_gnu(bench.lay("x", "y"), f"Index: foo/y\n=======\n{diff()}")


# What is not a patch


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf" + diff().encode(), "byte-order mark"),
        (diff().encode("utf-16"), "UTF-16"),
        (diff().encode("utf-16-le"), "UTF-16"),
        (diff().encode("utf-16-be"), "UTF-16"),
        (diff().encode("utf-32"), "UTF-32"),
        (gzip.compress(diff().encode(), mtime=0), "gzip"),
        (b"\xfd7zXZ\x00" + bytes(20), "xz"),
        (b"BZh91AY&SY" + bytes(20), "bzip2"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd"),
        (b"PK\x03\x04" + bytes(20), "zip"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML"),
        (b"\n  <html>\n<pre>" + diff().encode() + b"</pre></html>\n", "HTML"),
        (b"\xef\xbb\xbf<!doctype HTML>\n", "HTML"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_patch_is_named(bench: Bench, data: bytes, words: str) -> None:
    error = refusal(bench.lay("x"), data)
    assert words in str(error)
    assert error.exit_code == 5


@pytest.mark.parametrize("name", ["0001.patch", "a b.patch", "0001.patch.gz"])
@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + diff().encode(),
        *(diff().encode(code) for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        gzip.compress(diff().encode(), mtime=0),
        bz2.compress(diff().encode()),
        lzma.compress(diff().encode()),
    ],
    ids=["mark", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gzip", "bzip2", "xz"],
)
def test_the_hint_for_what_is_no_patch_makes_one(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PatchError) as caught:
        parse(path, data)
    subprocess.run(["sh", "-c", caught.value.hint.splitlines()[1]], check=True)
    (made,) = [one for one in tmp_path.iterdir() if one != path] or [path]
    assert made.read_text() == diff()


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("first", ["diff -ru a/x b/x\n", "diff --git a/x b/x\nindex 1..2 100644\n"])
def test_a_byte_order_mark_before_a_command_does_no_harm(bench: Bench, first: str) -> None:
    require_as_gnu(bench.lay("x"), MARK + (first + diff()).encode())


def test_a_byte_order_mark_takes_no_mode_away(bench: Bench) -> None:
    head = "diff --git a/x b/x\nold mode 100644\nnew mode 100755\nindex 1..2\n"
    assert "byte-order mark" in str(refusal(bench.lay("x"), MARK + (head + diff()).encode()))


def test_a_byte_order_mark_before_a_message_does_no_harm_and_is_told(bench: Bench) -> None:
    require_as_gnu(bench.lay("x"), b"\xef\xbb\xbfSubject: one\n\n" + diff().encode())
    dry = check(bench.load(), bench.tree)
    assert "byte-order mark" in "\n".join(dry.lines())
    assert dry.patches[0].subject == "one"


@pytest.mark.parametrize(
    "name", ["0002.patch.gz", "0002-fix", "0002.PATCH", "fix.txt", "0002.patch.orig"]
)
def test_an_unlisted_file_is_named(bench: Bench, name: str) -> None:
    bench.lay("x").put("0001.patch", diff())
    (bench.folder / name).write_text(diff())
    with pytest.raises(UsageError) as caught:
        bench.load()
    assert f"{name} is not listed" in str(caught.value)


def test_an_unlisted_folder_is_named(bench: Bench) -> None:
    bench.lay("x").put("0001.patch", diff())
    (bench.folder / "more").mkdir()
    with pytest.raises(UsageError, match="more is not listed"):
        bench.load()


@pytest.mark.parametrize("name", ["README", "README.md", ".gitignore", "series~", "0001.patch~"])
def test_what_is_never_a_patch_may_lie_beside_the_series(bench: Bench, name: str) -> None:
    bench.lay("x").put("0001.patch", diff())
    (bench.folder / name).write_text("words\n")
    assert len(bench.load().patches) == 1


# What is there already, modes and links


def test_an_applied_patch_is_known_although_blanks_were_lost(bench: Bench) -> None:
    bench.lay("x")
    (bench.tree / "x").write_text("1\n\n\tb\n2\n3\n")
    bench.put("0001.patch", diff(hunk="@@ -1,5 +1,5 @@\n 1\n\n\tb\n-2\n+two\n 3\n"))
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_text() == "1\n\n\tb\ntwo\n3\n"
    report = check(bench.load(), bench.tree)
    assert [hunk.outcome for hunk in report.patches[0].files[0].hunks] == [HunkOutcome.APPLIED]


LINK = "@@ -0,0 +1 @@\n+/etc\n\\ No newline at end of file\n"


@pytest.mark.parametrize("end", ["", " ", "\t", "  ", " \r", "\r"])
@pytest.mark.parametrize("mode", ["120000", "160000", "0120000", "100000"])
def test_no_mode_line_turns_a_link_into_a_file(bench: Bench, mode: str, end: str) -> None:
    head = f"diff --git a/l b/l\nnew file mode {mode}{end}\n"
    error = refusal(bench.lay("x"), f"{head}--- /dev/null\n+++ b/l\n{LINK}")
    assert mode in str(error)


@pytest.mark.parametrize("end", [" ", "\t"])
def test_an_index_line_tells_a_link_too(bench: Bench, end: str) -> None:
    bench.lay("x")
    (bench.tree / "l").write_text("/etc")
    head = f"diff --git a/l b/l\nindex 1234567..1234568 120000{end}\n--- a/l\n+++ b/l\n"
    error = refusal(bench, f"{head}@@ -1 +1 @@\n-/etc\n+/usr\n\\ No newline at end of file\n")
    assert "link" in str(error)


def test_a_blank_behind_a_mode_does_not_take_it_away(bench: Bench) -> None:
    head = "diff --git a/n b/n\nnew file mode 100755 \n--- /dev/null\n+++ b/n\n"
    bench.lay("x").put("0001.patch", f"{head}@@ -0,0 +1 @@\n+hello\n")
    apply(bench.load(), bench.tree)
    assert gnu.state(bench.tree)["n"] == (b"hello\n", True)


@pytest.mark.parametrize("name", ["n" * 256, "d/" * 1500 + "x", "é" * 200])
@pytest.mark.parametrize("new", [True, False])
def test_a_name_that_is_too_long_is_an_error(bench: Bench, name: str, new: bool) -> None:
    hunk = "@@ -0,0 +1 @@\n+hello\n" if new else HUNK
    text = diff("/dev/null" if new else f"a/{name}", f"b/{name}", hunk)
    assert "too long" in str(refusal(bench.lay("x"), text))


def test_a_folder_that_becomes_a_file_is_an_error(bench: Bench) -> None:
    bench.plain("d/x", "d/y", "z")

    def change(tree: Path) -> None:
        (tree / "d/x").unlink()
        (tree / "d/y").unlink()
        (tree / "d").rmdir()
        (tree / "d").write_text("a file\n")

    text = bench.record("0000.patch", change)
    (bench.folder / "0000.patch").unlink()
    (bench.folder / "series").unlink()
    assert "d is a folder" in str(refusal(bench, text))


def test_a_file_that_becomes_a_folder_is_an_error(bench: Bench) -> None:
    def change(tree: Path) -> None:
        (tree / "d").unlink()
        (tree / "d").mkdir()
        (tree / "d/x").write_text("a file\n")

    text = bench.plain("d").record("0000.patch", change)
    (bench.folder / "0000.patch").unlink()
    (bench.folder / "series").unlink()
    assert "d is a file" in str(refusal(bench, text))


# Hunks


@pytest.mark.parametrize(
    "text",
    [
        diff(hunk="@@ -2 +2 @@\n-2\n+two\n"),
        diff(hunk="@@ -2,0 +3,1 @@\n+between\n"),
        diff(hunk="@@ -2,1 +1,0 @@\n-2\n"),
        diff(hunk=HUNK + "@@ -20 +20 @@ a function()\n-20\n+twenty\n"),
        diff(hunk="@@ -1,4 +1,4 @@\n 1\n# a comment\n-2\n+two\n 3\n 4\n"),
        diff(hunk=HUNK) + diff(hunk="@@ -1,3 +1,3 @@\n 1\n-two\n+2.0\n 3\n"),
        diff("a/e", "b/e", "@@ -0,0 +1 @@\n+hello\n"),
        "diff --git a/n b/n\nnew file mode 100644\nindex 0000000..e69de29\n",
        "diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29..0000000\n",
        "diff --git a/n b/n\nnew file mode 100755\nindex 0000000..e69de29\n",
        "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n",
        "diff --git a/x b/z\nsimilarity index 100%\nrename from x\nrename to z\n",
        "diff --git a/x b/z\nsimilarity index 100%\ncopy from x\ncopy to z\n",
        'diff --git "a/x" "b/\\303\\251"\nsimilarity index 100%\nrename from x\n'
        'rename to "\\303\\251"\n',
        "diff --git a/x b/y\nrename from x\nrename to y\n"
        "diff --git a/y b/x\nrename from y\nrename to x\n",
    ],
)
def test_hunks_and_headers_that_gnu_patch_takes(bench: Bench, text: str) -> None:
    bench.lay("x", "y")
    (bench.tree / "e").write_text("")
    require_as_gnu(bench, text)


def test_hunks_out_of_order_are_told_as_gnu_patch_does(bench: Bench, tmp_path: Path) -> None:
    text = diff(hunk="@@ -20 +20 @@\n-20\n+twenty\n" + HUNK)
    bench.lay("x")
    assert not gnu.apply(bench.tree, text.encode(), tmp_path).applied
    refusal(bench, text)


def test_a_reversed_patch_is_refused_as_applied(bench: Bench) -> None:
    error = refusal(bench.lay("x"), diff(hunk="@@ -1,3 +1,3 @@\n 1\n-two\n+2\n 3\n"))
    assert "already applied" in str(error)


def test_the_series_may_hold_no_patch_by_itself(tmp_path: Path) -> None:
    (tmp_path / "series").write_text("# none yet\n")
    assert load(tmp_path).patches == ()


def test_a_name_that_is_not_utf8_is_patched_and_told(bench: Bench) -> None:
    bench.lay()
    (bench.tree / os.fsdecode(b"caf\xe9")).write_text("1\n2\n3\n")
    text = diff("a/caf\u00e9", "b/caf\u00e9").encode("latin-1")
    bench.put("0001.patch", text)
    report = apply(bench.load(), bench.tree)
    assert (bench.tree / os.fsdecode(b"caf\xe9")).read_text() == "1\ntwo\n3\n"
    assert "caf\\\\udce9" in report.as_json()
    again = check(bench.load(), bench.tree)
    "\n".join(again.lines()).encode()
    error = again.failure()
    assert error is not None
    str(error).encode()


@pytest.mark.parametrize(
    "name", [b"a/gone\xe9", b"a/../x\xe9", b'"a/x\\001"', b"a/" + b"\xe9" * 300]
)
def test_a_refused_name_that_is_not_utf8_can_be_printed(bench: Bench, name: bytes) -> None:
    bench.lay("x").put("0001.patch", b"--- " + name + b"\n+++ " + name + b"\n" + HUNK.encode())
    with pytest.raises(BuilderError) as caught:
        apply(bench.load(), bench.tree)
    f"{caught.value.what} {caught.value.cause} {caught.value.hint}".encode()


def test_a_byte_order_mark_does_not_belong_to_the_first_patchs_name(bench: Bench) -> None:
    bench.lay("x").put("0001.patch", diff())
    (bench.folder / "series").write_bytes(b"\xef\xbb\xbf0001.patch\n")
    assert [patch.name for patch in bench.load().patches] == ["0001.patch"]


@pytest.mark.parametrize(
    "text",
    [
        "# HG changeset patch\n# User A <a@b>\nwords\n\ndiff -r 1 -r 2 x\n" + diff(),
        diff() + "\nProperty changes on: x\n___\nAdded: svn:executable\n## -0,0 +1 ##\n+*\n",
        "Only in a: y\ndiff -ru a/x b/x\n" + diff() + "Only in b: z\n",
        "Prereq: 2\n" + diff(),
        diff("a//x", "b/x"),
        diff("a/x", "../x"),
        "> --- a/y\n> +++ b/y\n> @@ -1 +1 @@\n> -1\n> +one\n\n" + diff(),
        "diff --git a/x b/x\nindex 1..2 100644\n" + diff(),
        "diff --git a/x b/x\nold mode 100644\nnew mode 100755\nindex 1..2\n" + diff(),
        diff() + "--\n2.39\n",
        diff() + " \n",
    ],
    ids=lambda text: text.split("\n")[0],
)
def test_what_other_programs_write_around_a_diff(bench: Bench, text: str, tmp_path: Path) -> None:
    bench.lay("x", "y")
    answer = gnu.apply(bench.tree, text.encode(), tmp_path)
    bench.put("0001.patch", text)
    try:
        apply(bench.load(), bench.tree)
    except VerificationError as error:
        assert "not a plain path" in str(error)
        return
    assert answer.applied, answer.text
    assert gnu.state(bench.tree) == answer.tree


def test_a_link_is_not_followed_and_not_patched(bench: Bench) -> None:
    bench.lay("d/x")
    (bench.tree / "x").symlink_to("d/x")
    assert "symbolic link" in str(refusal(bench, diff("a/x", "b/y/x")))
    assert (bench.tree / "x").is_symlink()


@pytest.mark.parametrize("command", ["", "diff -ruN a/y b/y\n", "diff --git a/y b/y\n"])
def test_wherever_a_patch_is_cut_that_is_seen_but_at_a_hunks_end(
    tmp_path: Path, command: str
) -> None:
    first = diff(hunk="@@ -1,9 +1,9 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n 8\n 9\n")
    whole = first + command + diff("a/y", "b/y")
    for length in range(1, len(whole)):
        cut = whole[:length]
        try:
            files = parse(tmp_path / "p", cut.encode())
        except PatchError as error:
            assert error.exit_code == 5
            continue
        doubtful = files[-1].hunks[-1].doubtful
        assert doubtful or cut == first or cut.endswith(("\n--", "\n-- ")), (
            f"taken for whole: {cut[-30:]!r}"
        )


# Mails as they travel


def mail(code: str, text: str) -> bytes:
    packed = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}[code]
    head = f"From: A <a@b.invalid>\nSubject: [PATCH] two\nContent-Transfer-Encoding: {code}\n\n"
    return head.encode() + packed(f"Words.\n---\n x | 2 +-\n\n{text}-- \n2.39\n".encode())


@pytest.mark.parametrize("code", ["base64", "quoted-printable"])
def test_a_mail_that_is_still_encoded_is_named_with_the_command_that_decodes_it(
    bench: Bench, code: str
) -> None:
    """GNU patch would put ``=3D`` into the tree."""
    bench.lay("x")
    refused = refusal(bench, mail(code, diff().replace("+two", "+two = 2;")))
    assert f"still encoded ({code})" in refused.cause
    subprocess.run(["sh", "-c", refused.hint.partition("\n")[2]], check=True)
    made = bench.folder / "0001.patch.new"
    made.rename(bench.folder / "0001.patch")
    apply(bench.load(), bench.tree)
    assert (bench.tree / "x").read_text().splitlines()[1] == "two = 2;"


def test_a_mail_that_says_so_and_was_decoded_is_taken(bench: Bench) -> None:
    bench.lay("x")
    head = "Content-Transfer-Encoding: quoted-printable\n\n"
    require_as_gnu(bench, head + diff().replace("+two", "+two = 2;"))


def test_hunks_out_of_order_are_named(bench: Bench) -> None:
    bench.lay("x")
    late = "@@ -11,3 +11,3 @@\n 11\n-12\n+twelve\n 13\n"
    assert "out of order" in refusal(bench, diff(hunk=late + HUNK)).what
