"""A series says by file and line what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import PatchError, UsageError, VerificationError
from builder.patch.series import digest, load, touched
from tests.support.patch.tree import Bench, replace

HUNK = "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def lay(folder: Path, series: str, **patches: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "series").write_text(series)
    for name, text in patches.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.patch").write_bytes(data)
    return folder


def diff(old: str = "a/x", new: str = "b/x", hunk: str = HUNK) -> str:
    return f"--- {old}\n+++ {new}\n{hunk}"


def test_a_missing_or_empty_folder_is_an_empty_series(tmp_path: Path) -> None:
    assert load(tmp_path / "none").patches == ()
    assert load(tmp_path).patches == ()


def test_comments_blanks_and_p1_are_understood(tmp_path: Path) -> None:
    folder = lay(tmp_path, "# all\n\nb.patch -p1 # why\n  a.patch\n", a=diff(), b=diff())
    assert [patch.name for patch in load(folder).patches] == ["b.patch", "a.patch"]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ("a.patch\nb.patch\n", "series:2: patch b.patch is missing"),
        ("# none\n", "a.patch is not listed"),
        ("a.patch\n\na.patch\n", "series:3: a.patch is listed twice: first on line 1"),
        ("a.patch -p0\n", "series:1: option -p0 is not supported"),
        ("a.patch -R\n", "series:1: option -R is not supported"),
        ("../a.patch\n", "series:1: ../a.patch is not a plain file name"),
    ],
)
def test_a_wrong_list_names_its_line(tmp_path: Path, series: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(lay(tmp_path, series, a=diff()))
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a.patch:1: malformed patch: it changes no file"),
        ("just a letter\n", "changes no file"),
        (diff(hunk="@@ -1,9 +1,9 @@\n one\n-two\n+2\n"), "a.patch:6: malformed"),
        (diff(hunk="@@ -1,1 +1,1 @@\n one\n-two\n+2\n"), "a.patch:5: malformed"),
        (diff(hunk=HUNK + "+surplus\n"), "a.patch:7: malformed patch: the hunk has more lines"),
        (diff(hunk="@@ -1,2 +1,2 @@\n one\n*two\n+2\n"), "a.patch:5: malformed"),
        (HUNK, "a.patch:1: malformed"),
        (diff("x", "x"), "-p1 leaves nothing"),
        ('--- "a/\\303\n+++ "b/\\9"\n' + HUNK, "leaves nothing of the file's name"),
        ("diff --git a/x b/x\nBinary files a/x and b/x differ\n", "a binary change"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n"
            "@@ -0,0 +1 @@\n+/etc\n\\ No newline at end of file\n",
            "a symbolic link",
        ),
        ("diff --git a/x b/x\nindex 1234567..1234568 100644\n", "does not say what to do"),
        ("diff --git a/x b/y\n--- a/x\n+++ b/y\n" + HUNK, "rename or copy"),
    ],
)
def test_a_malformed_patch_names_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PatchError) as caught:
        load(lay(tmp_path, "a.patch\n", a=text.encode()))
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("a/../../x", "b/../../x"),
        ("a/x", "b/../x"),
        ("a/.git/config", "b/.git/config"),
        ("a/.GIT/hooks/x", "b/.GIT/hooks/x"),
        ("a//etc/passwd", "b//etc/passwd"),
        ("a/./x", "b/./x"),
        ("/dev/null", "b/../x"),
    ],
)
def test_a_patch_may_not_leave_its_tree(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(VerificationError, match=r"a\.patch:1: the patch touches"):
        load(lay(tmp_path, "a.patch\n", a=diff(old, new)))


@pytest.mark.parametrize("word", ["rename", "copy"])
def test_a_rename_may_not_leave_its_tree(tmp_path: Path, word: str) -> None:
    text = f"diff --git a/x b/y\nsimilarity index 100%\n{word} from x\n{word} to ../y\n"
    with pytest.raises(VerificationError):
        load(lay(tmp_path, "a.patch\n", a=text))


def test_touched_names_both_ends_of_a_rename(bench: Bench) -> None:
    def change(tree: Path) -> None:
        (tree / "d/old").rename(tree / "new")
        replace("x", "20", "twenty")(tree)

    bench.plain("x", "d/old", "y").record("0001.patch", change)
    assert touched(bench.load()) == {"x", "d/old", "new"}


def test_the_digest_follows_order_and_content(tmp_path: Path) -> None:
    one = digest(load(lay(tmp_path, "a.patch\nb.patch\n", a=diff(), b=diff())))
    assert one == digest(load(lay(tmp_path, "# why\na.patch\nb.patch\n")))
    assert one != digest(load(lay(tmp_path, "b.patch\na.patch\n")))
    assert one != digest(load(lay(tmp_path, "a.patch\nb.patch\n", b=diff(hunk=HUNK + "\n"))))


def test_a_folded_subject_is_joined(tmp_path: Path) -> None:
    text = "From: a\nSubject: [PATCH 1/2] ipvs: one\n two\nDate: b\n\nbody\n---\n" + diff()
    assert load(lay(tmp_path, "a.patch\n", a=text)).patches[0].subject == "ipvs: one two"
