"""Messages and files are UTF-8 in locales that are not, made for these tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world
from tests.world import PROFILE, World

AUTHOR = "Ren\u00e9e \u6797 <renee@builder.invalid>"
WORD = "\u65e5\u672c\u00e9"


@pytest.fixture(scope="module", params=[("zh_CN", "GBK"), ("en_US", "ISO-8859-1")])
def locale(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Variables that choose a locale of this charset; that it is a real one was asked."""
    name, charset = request.param
    folder = tmp_path_factory.mktemp("locales")
    made = folder / f"{name}.{charset}"
    subprocess.run(["localedef", "-i", name, "-f", charset, made], check=True, capture_output=True)
    chosen = {"LC_ALL": made.name, "LOCPATH": str(folder), "PYTHONUTF8": "0"}
    asked = subprocess.run(
        [sys.executable, "-c", "import locale; print(locale.getencoding())"],
        env=chosen,
        capture_output=True,
        check=True,
    )
    assert asked.stdout.decode().strip() == charset
    yield chosen


@pytest.fixture
def here(tmp_path: Path, locale: dict[str, str]) -> World:
    """A small project whose author has a name, seen by a user of that locale."""
    made = world.make(tmp_path / "project", tmp_path / "cache")
    profile = made.project / "specs" / "small" / "profile.toml"
    text = PROFILE.replace("A Tester <tester@builder.invalid>", AUTHOR)
    profile.write_text(text, encoding="utf-8")
    return replace(made, env=locale)


def test_a_message_is_utf_8(here: World) -> None:
    ended = here.run_bytes("build", "--profile", WORD)
    assert ended.returncode == 2
    assert f"failed: {WORD!r} is not the name of a profile" in ended.stderr.decode()


def test_what_is_no_text_is_shown_escaped(here: World) -> None:
    ended = here.run_bytes("build", "--profile", b"a\xff")
    assert ended.returncode == 2
    assert "is not the name of a profile" in ended.stderr.decode()


def test_an_author_s_name_reaches_the_changelog_as_it_is(here: World) -> None:
    ended = here.run_bytes("tree", "--profile", "small")
    assert ended.returncode == 0, ended.stderr.decode()
    (spec,) = here.project.glob("artifacts/small/tree/**/*.spec")
    assert f"* Mon Nov 23 2026 {AUTHOR}\n" in spec.read_bytes().decode()
    told = subprocess.run(
        ["rpmspec", "-q", "--srpm", "--qf", "%{changelogname}", spec],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert told.stdout.decode() == AUTHOR
