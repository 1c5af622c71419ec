"""Under CI=true nothing in the checkout is written outside of artifacts/, whatever is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.world import World

pytestmark = [pytest.mark.timeout(600)]
SMALL = ("--profile", "small")
# What Python compiled is nobody's source, and git ignores it.
OURS = ("artifacts", "__pycache__")
PINNING = (
    ("patch", "--check", *SMALL),
    ("patch", *SMALL),
    ("tree", *SMALL),
    ("fetch", *SMALL),
    ("build", "--only", "tool", *SMALL),
)
READING = (
    ("lab", *SMALL),
    ("explain", "smoke", *SMALL),
    ("doctor", "--json", *SMALL),
    ("verify", *SMALL),
    ("report", *SMALL),
)

State = dict[str, tuple[int, int, int, int, bytes]]


def state(project: Path) -> State:
    """Every file and folder of a checkout: inode, mode, size, time of its change, and content."""
    found: State = {}
    for path in sorted(project.rglob("*")):
        if not set(path.relative_to(project).parts) & set(OURS):
            status = path.lstat()
            times = 0 if path.is_dir() else status.st_mtime_ns
            size = 0 if path.is_dir() else status.st_size
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_ino, status.st_mode, size, times, content)
    return found


@pytest.fixture
def ci(small: World) -> World:
    small.env["CI"] = "true"
    small.write_source({"tool.c": "", "ID": str(small.project)})
    small.write_patches()
    return small


@pytest.mark.parametrize("words", PINNING, ids=lambda words: " ".join(words[:2]))
def test_nothing_is_pinned_and_the_refusal_says_why(ci: World, words: tuple[str, ...]) -> None:
    before = state(ci.project)
    ended = ci.run(*words)
    assert ended.status == 4, ended.errors
    assert "CI=true" in ended.errors
    assert "env -u CI" in ended.errors
    assert state(ci.project) == before


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_what_only_reads_writes_nothing(ci: World, words: tuple[str, ...]) -> None:
    before = state(ci.project)
    ci.run(*words)
    assert state(ci.project) == before


def test_an_update_is_refused_before_anything_is_asked(ci: World) -> None:
    before = state(ci.project)
    ended = ci.run("fetch", "--update", *SMALL)
    assert ended.status == 2, ended.errors
    assert "from file:" not in ended.errors
    assert "env -u CI" in ended.errors
    assert state(ci.project) == before


def test_what_is_pinned_goes_through_and_changes_nothing(ci: World) -> None:
    del ci.env["CI"]
    assert ci.run("fetch", *SMALL).status == 0
    ci.env["CI"] = "true"
    before = state(ci.project)
    for words in (("fetch", *SMALL), ("patch", "--check", *SMALL), ("tree", *SMALL)):
        ended = ci.run(*words)
        assert ended.status == 0, ended.errors
    assert state(ci.project) == before
    told = ci.project / "artifacts" / "small" / "ci"
    written = {"patches.xml", "patches.sarif", "patches.codequality.json"}
    assert {path.name for path in told.iterdir()} == written
    (run,) = json.loads((told / "patches.sarif").read_bytes())["runs"]
    assert run["results"] == [], "its patches have no fault"


@pytest.mark.engine
@pytest.mark.registry
def test_an_image_is_made_without_a_change(ci: World) -> None:
    before = state(ci.project)
    ended = ci.run("image", *SMALL)
    assert ended.status == 0, ended.errors
    assert state(ci.project) == before


def test_another_word_than_true_is_no_ci(ci: World) -> None:
    ci.env["CI"] = "1"
    assert ci.run("patch", "--check", *SMALL).status == 0
