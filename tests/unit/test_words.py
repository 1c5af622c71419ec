"""The words of CONTRIBUTING.md's right column stand in no message, docstring or page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.world import ROOT

PLACES = ("builder", "docs", "tasks.py", "bootstrap", "specs/lts", "dockerfiles", "*.md")
PAGE = "CONTRIBUTING.md"


def avoided() -> tuple[str, ...]:
    """The right column; what stands in brackets there is an explanation."""
    table = (ROOT / PAGE).read_text().partition("| say | not |")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    return tuple(words for _, cell in rows if "(" not in cell for words in cell.split(", "))


def found(words: str, root: Path) -> list[str]:
    """File and line of each place that has the words."""
    spaced = re.escape(words).replace(r"\ ", r"\s+")
    pattern = re.compile(rf"(?<![\w-]){spaced}(?![\w-])", re.I)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *PLACES], cwd=root, capture_output=True, check=True
    )
    places = []
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        if name == PAGE:
            continue
        text = (root / name).read_text(errors="replace")
        places += [
            f"{name}:{text[: hit.start()].count(chr(10)) + 1}" for hit in pattern.finditer(text)
        ]
    return places


def test_the_list_has_words() -> None:
    assert {"mend", "time-out"} <= set(avoided())


@pytest.mark.parametrize("words", avoided())
def test_nobody_uses(words: str) -> None:
    assert found(words, ROOT) == []


def test_words_are_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("fine\nit Mend; amend; is not\nto be had\n")
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    assert found("mend", tmp_path) == ["docs/a.md:2"]
    assert found("is not to be had", tmp_path) == ["docs/a.md:2"]
