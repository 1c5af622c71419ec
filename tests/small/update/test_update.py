"""``invoke update`` moves a source whole or not at all, and says what a person must look at."""

from __future__ import annotations

import datetime
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.update.upstream import KCONFIG, Upstream, serve
from tests.world import ROOT, SOURCE, World

SMALL = ("--profile", "small")
GREGKH = "647F28654894E3BD457199BE38DBBDC86092693E"
_LINES = {"file": "file = ", "url": "locations = ", "version": "version = "}


@pytest.fixture
def upstream(small: World, tmp_path: Path) -> Iterator[Upstream]:
    with serve(small, tmp_path / "site") as site:
        assert small.run("fetch", *SMALL).status == 0
        yield site


def _specs(world: World) -> dict[str, bytes]:
    folder = world.project / "specs"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_everything_moves_together(small: World, upstream: Upstream) -> None:
    moved = SOURCE["tool.c"].replace("int main", "/* new */\nint main")
    kconfig = KCONFIG.replace("8 20", "8 22") + 'config Z\n\tbool "z"\n'
    upstream.release("1.2", **{"tool.c": "\n\n" + moved, "Kconfig": kconfig})
    upstream.list("2.0", "1.2", "1.1", "0.9")
    profile = small.project / "specs/small/profile.toml"
    before = profile.read_text()
    ended = small.run("update", "tool", *SMALL)
    assert ended.status == 0, ended.errors
    after = profile.read_text()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    date = max(today, datetime.date(2026, 11, 23)).strftime("%a %b %d %Y")
    for line in (
        "# Version 1.0 of the tool.",
        'version = "1.2"  # as 1.0 "is"',
        'file = "tool-1.2.tar.gz"',
        f'locations = [{{ url = "{upstream.url("tool-1.2.tar.gz")}" }}]',
        f'date = "{date}"',
        'text = "Tool 1.2 with two."',
    ):
        assert line in after.splitlines()
    assert len(before.splitlines()) == len(after.splitlines())
    assert "tool-1.0.tar.gz" not in (small.project / "specs/small/sources.lock").read_text()
    for words in (
        "tool: 1.0 -> 1.2",
        '-version = "1.0"',
        '+version = "1.2"',
        "patches: 1 of 1 apply; 1 hunks, 0 as before, 1 moved or failed",
        "before clean at line 1",
        "Kconfig: 2 symbols changed",
        "Y (Kconfig) changed: range -8 20 +8 22",
        "Z (Kconfig) added",
        "no point release of 1.0, so not taken: 2.0",
    ):
        assert words in ended.output, ended.output
    (upstream.folder / "tool-1.0.tar.gz").unlink()
    assert small.run("fetch", "--locked", *SMALL).status == 0
    assert "up to date" in small.run("update", *SMALL).output
    assert small.leavings() == []


@pytest.mark.parametrize("stale", ["file", "url", "version"])
def test_a_profile_that_is_behind_its_pin_in_one_place_catches_up(
    small: World, upstream: Upstream, stale: str
) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    assert small.run("update", "tool", *SMALL).status == 0
    profile = small.project / "specs/small/profile.toml"
    agreed, lock = profile.read_text(), profile.with_name("sources.lock").read_text()
    lines = agreed.splitlines(keepends=True)
    (at,) = (n for n, line in enumerate(lines) if line.startswith(_LINES[stale]))
    lines[at] = lines[at].replace("1.1", "1.0")
    profile.write_text("".join(lines))
    assert "available: 1.1" in small.run("update", "--check", *SMALL).output
    ended = small.run("update", *SMALL)
    assert ended.status == 0, ended.errors
    assert profile.read_text() == agreed
    assert profile.with_name("sources.lock").read_text() == lock
    assert "up to date" in small.run("update", "--check", *SMALL).output


def test_keys_for_another_variant_do_not_hinder(small: World, upstream: Upstream) -> None:
    """Debian's tree of a kernel has no signature beside it, kernel.org's has."""
    profile = small.project / "specs/small/profile.toml"
    key = shutil.copy(ROOT / "specs/lts/keys/gregkh.asc", profile.parent)
    pristine = upstream.url("pristine/tool-1.0.tar.gz")
    listed = (
        f'}}, {{ url = "{pristine}", variant = "pristine", signature = "{pristine}.asc" }}]\n'
        f'signed_by = [{{ key = "{Path(key).name}", fingerprint = "{GREGKH}" }}]\n'
    )
    profile.write_text(re.sub(r" \}\]$", listed, profile.read_text(), flags=re.MULTILINE))
    upstream.release("1.1")
    upstream.list("1.1")
    ended = small.run("update", "tool", *SMALL)
    assert ended.status == 0, ended.errors
    text = profile.read_text()
    assert upstream.url("pristine/tool-1.1.tar.gz.asc") in text
    assert small.run("fetch", "--locked", "--variant", "tool=upstream", *SMALL).status == 0


@pytest.mark.parametrize("when", ["lock", "profile"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_move_that_is_stopped_is_whole_or_none_after_the_next_command(
    small: World, upstream: Upstream, when: str, number: signal.Signals
) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    folder = small.project / "specs/small"
    before = _specs(small)
    running = small.start("update", "tool", *SMALL)
    watched = {"lock": folder / "sources.lock", "profile": folder / "profile.toml"}[when]
    old = watched.read_bytes()
    while running.poll() is None and watched.read_bytes() == old:
        pass
    running.send_signal(number)
    running.communicate()
    if number is signal.SIGKILL:
        assert small.run("fetch", *SMALL).status == 0
    after = _specs(small)
    if after != before:
        moved = (folder / "profile.toml").read_text()
        assert 'version = "1.1"' in moved
        assert after.keys() == before.keys()
        lock = (folder / "sources.lock").read_text()
        assert "tool-1.1.tar.gz" in lock
        assert "tool-1.0.tar.gz" not in lock
    assert small.run("fetch", "--locked", *SMALL).status == 0
    assert small.leavings() == []


def test_a_series_that_does_not_apply_leaves_all_as_before(
    small: World, upstream: Upstream
) -> None:
    upstream.release("1.1", **{"tool.c": "int main(void) { return 1; }\n"})
    upstream.list("1.1")
    before = _specs(small)
    ended = small.run("update", "tool", *SMALL)
    assert ended.status == 5, ended.errors
    assert _specs(small) == before
    assert '+\tputs("two");' in ended.output
    assert "specs/small is as before" in ended.errors
    assert small.run("fetch", "--locked", *SMALL).status == 0
    assert small.leavings() == []


def test_a_release_that_cannot_be_fetched_leaves_all_as_before(
    small: World, upstream: Upstream
) -> None:
    upstream.list("1.1")
    before = _specs(small)
    ended = small.run("update", *SMALL)
    assert ended.status == 3, ended.errors
    assert "404" in ended.errors
    assert _specs(small) == before


def test_check_only_says_what_is_there(small: World, upstream: Upstream) -> None:
    upstream.list("1.1")
    before = _specs(small)
    for environment in ({}, {"CI": "true"}):
        small.env = environment
        ended = small.run("update", "--check", *SMALL)
        assert ended.status == 0, ended.errors
        assert f"tool: 1.0; available: 1.1 ({upstream.url('releases.json')})" in ended.output
    (upstream.folder / "releases.json").unlink()
    ended = small.run("update", "--check", *SMALL)
    assert ended.status == 0, ended.errors
    assert "tool: 1.0; no list of releases is available" in ended.output
    assert "404" in ended.output
    assert _specs(small) == before


def test_ci_does_not_move_anything(small: World, upstream: Upstream) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    before = _specs(small)
    small.env = {"CI": "true"}
    ended = small.run("update", "tool", *SMALL)
    assert ended.status == 2
    assert "env -u CI invoke update tool --profile small" in ended.errors
    assert _specs(small) == before


def test_an_unknown_source_is_refused_with_the_nearest(small: World, upstream: Upstream) -> None:
    ended = small.run("update", "tol", *SMALL)
    assert ended.status == 2
    assert "did you mean 'tool'?" in ended.errors


def test_a_layout_that_lines_cannot_edit_is_told(small: World, upstream: Upstream) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    profile = small.project / "specs/small/profile.toml"
    text = profile.read_text()
    text = re.sub(r'file = "(tool-1\.0\.tar\.gz)"', r'file = """\n\1"""', text)
    profile.write_text(text)
    before = _specs(small)
    ended = small.run("update", "tool", *SMALL)
    assert ended.status == 2, ended.errors
    assert "source.tool.file" in ended.errors
    assert _specs(small) == before
