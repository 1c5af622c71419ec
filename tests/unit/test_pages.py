"""Pages lead where they say, and quote messages that there are."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.world import ROOT

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LEAST = 8
"""Letters of a message's part that say something."""


def pages() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as forges make them."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in _HEADING.findall(text))
    return {words.strip().replace(" ", "-") for words in plain}


@pytest.mark.parametrize("name", pages())
def test_links_lead_somewhere(name: str) -> None:
    text = _CODE.sub("", (ROOT / name).read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), link
        if anchor and page.suffix == ".md":
            assert anchor in anchors(page), link


def test_messages_of_the_readme_are_those_of_the_program() -> None:
    table = (
        (ROOT / "README.md").read_text().partition("| message | means |")[2].partition("\n\n")[0]
    )
    quoted = re.findall(r"`([^`]+)`", " ".join(row.split("|")[1] for row in table.split("\n")[2:]))
    assert len(quoted) >= LEAST
    said = " ".join(path.read_text() for path in (ROOT / "builder").rglob("*.py"))
    said += " ".join(os.strerror(number) for number in range(1, 40))
    for message in quoted:
        parts = [part.strip() for part in re.split(r"\b[A-Z]\b|\bHOST\b|\.\.\.", message)]
        for part in parts:
            assert len(part) < LEAST or part.lower() in said.lower(), message


def test_what_proves_something_exists() -> None:
    """Backquoted in docs/explanation/proofs.md: files, tests, scenarios, cases of the gate."""
    text = (ROOT / "docs/explanation/proofs.md").read_text(encoding="utf-8")
    table = text.partition("| claim | proven by | conditions |")[2].partition("\n\n")[0]
    proofs = re.findall(r"`([^`]+)`", "".join(row.split("|")[2] for row in table.split("\n")[2:]))
    scenarios = {path.stem for path in (ROOT / "builder/lab/scenarios").glob("*.toml")}
    assert scenarios <= set(proofs)
    for name in {*proofs, *re.findall(r"`(tests/[^`]+)`", text)} - scenarios:
        if name.startswith("test_"):
            tests = ROOT.glob("tests/whole/*/*.py")
            assert any(f"def {name}(" in path.read_text() for path in tests), name
        elif name.startswith("tests/"):
            assert (ROOT / name).is_file(), name
        elif name != "ipvsadm -R":
            assert (ROOT / f"tests/support/gate/cases/{name}.sh").is_file(), name
