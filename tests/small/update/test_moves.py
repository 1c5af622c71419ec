"""An update moves a source whole or not at all, and says what a person must look at."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.commands import produce
from builder.commands.update import update
from builder.errors import PatchError, SourceUnreachable, UsageError, VerificationError
from builder.host import ci, ownership
from builder.host.removal import remove
from builder.profile.commit import Commit
from builder.profile.load import FRAGMENTS
from builder.stages.request import Request
from tests.support.commands import desk
from tests.support.commands.desk import PROFILE, REQUEST, Desk
from tests.support.update.upstream import KCONFIG, Upstream, serve
from tests.unit.host.test_ownership import earlier
from tests.world import SOURCE

_LINES = {"file": "file = ", "version": "version = "}


@pytest.fixture
def made(tmp_path: Path) -> Desk:
    return desk.make(tmp_path)


@pytest.fixture
def upstream(made: Desk, tmp_path: Path) -> Iterator[Upstream]:
    with serve(made.world, tmp_path / "site") as site:
        fetch(made)
        yield site


def fetch(made: Desk, *, locked: bool = False) -> None:
    """Fetch what the profile names; ``locked``: only what its lock pins."""
    request = Request(PROFILE, locked=locked)
    with made.knowing():
        produce.produce(request, produce.each_source, made.place)


def moved(
    made: Desk, capsys: pytest.CaptureFixture[str], source: str = "", *, check: bool = False
) -> str:
    """What an update prints."""
    capsys.readouterr()
    with made.knowing():
        update(PROFILE, source, made.place, check=check)
    return capsys.readouterr().out


def specs(made: Desk) -> dict[str, bytes]:
    folder = made.file.parent
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(made: Desk, old: str, new: str) -> None:
    text = made.file.read_text()
    assert old in text
    made.file.write_text(text.replace(old, new))


def test_everything_moves_together(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    source = SOURCE["tool.c"].replace("int main", "/* new */\nint main")
    kconfig = KCONFIG.replace("8 20", "8 22") + 'config Z\n\tbool "z"\n'
    upstream.release("1.2", **{"tool.c": "\n\n" + source, "Kconfig": kconfig})
    upstream.list("2.0", "1.2", "1.1", "0.9")
    fragment = made.file.parent / FRAGMENTS / "lvs.config"
    fragment.parent.mkdir()
    fragment.write_text("CONFIG_Z=y\n# CONFIG_Q is not set\n")
    before = made.file.read_text()
    told = moved(made, capsys, "tool")
    after = made.file.read_text()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    date = max(today, datetime.date(2026, 11, 23)).strftime("%a %b %d %Y")
    for line in (
        "# Version 1.0 of the tool.",
        'version = "1.2"  # as 1.0 "is"',
        'file = "tool-1.2.tar.gz"',
        f'date = "{date}"',
        'text = "Tool 1.2 with two."',
    ):
        assert line in after.splitlines()
    assert len(before.splitlines()) == len(after.splitlines())
    assert "tool-1.0.tar.gz" not in made.lock.read_text()
    for words in (
        "tool: 1.0 -> 1.2",
        '-version = "1.0"',
        '+version = "1.2"',
        "patches: 1 of 1 apply; 1 hunks, 0 as before, 1 moved or failed",
        "before clean at line 1",
        "Y (Kconfig) changed: range -8 20 +8 22",
        "Z (Kconfig) added (set in lvs.config)",
        "no point release of 1.0, so not taken: 2.0",
        " build --profile small",
    ):
        assert words in told
    assert told.index("Z (Kconfig)") < told.index("Y (Kconfig)"), "the profile's own go first"
    (upstream.folder / "tool-1.0.tar.gz").unlink()
    fetch(made, locked=True)
    assert "up to date" in moved(made, capsys)
    assert made.world.leavings() == []


@pytest.mark.parametrize("stale", ["file", "version"])
def test_a_profile_that_is_behind_in_one_place_catches_up(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str], stale: str
) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    moved(made, capsys, "tool")
    agreed, lock = made.file.read_text(), made.lock.read_text()
    lines = agreed.splitlines(keepends=True)
    (at,) = (n for n, line in enumerate(lines) if line.startswith(_LINES[stale]))
    lines[at] = lines[at].replace("1.1", "1.0")
    made.file.write_text("".join(lines))
    assert "available: 1.1" in moved(made, capsys, check=True)
    moved(made, capsys)
    assert (made.file.read_text(), made.lock.read_text()) == (agreed, lock)


def test_a_series_that_does_not_apply_leaves_all_as_before(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.release("1.1", **{"tool.c": "int main(void) { return 1; }\n"})
    upstream.list("1.1")
    before = specs(made)
    with pytest.raises(PatchError) as caught:
        update(PROFILE, "tool", made.place, check=False)
    assert specs(made) == before
    assert '+\tputs("two");' in capsys.readouterr().out
    assert "specs/small is as before" in caught.value.hint
    assert made.world.leavings() == []


def test_a_release_that_cannot_be_fetched_leaves_all_as_before(
    made: Desk, upstream: Upstream
) -> None:
    upstream.list("1.1")
    before = specs(made)
    with pytest.raises(SourceUnreachable, match="404"):
        update(PROFILE, "", made.place, check=False)
    assert specs(made) == before


def test_a_move_that_is_interrupted_between_its_files_is_finished(
    made: Desk, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Commit.steps

    def interrupted(commit: Commit) -> Iterator[str]:
        for count, step in enumerate(steps(commit), 1):
            yield step
            if count == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Commit, "steps", interrupted)
    upstream.release("1.1")
    upstream.list("1.1")
    with pytest.raises(KeyboardInterrupt):
        update(PROFILE, "tool", made.place, check=False)
    assert 'version = "1.1"' in made.file.read_text()
    assert "tool-1.0.tar.gz" not in made.lock.read_text()
    fetch(made, locked=True)


def test_the_old_source_is_not_compared_if_nobody_has_it(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.release("1.1", news="what is new\n")
    upstream.list("1.1")
    (upstream.folder / "tool-1.0.tar.gz").unlink()
    remove(made.cache.stages, made.cache.root)
    made.one("blobs/*").unlink()
    told = moved(made, capsys)
    assert "note: not compared with the old source: " in told
    assert "1 hunks, 1 clean, 0 moved or failed" in told
    upstream.release("1.2", news="what is newer\n")
    upstream.list("1.2")
    made.lock.unlink()
    assert "sources.lock has no pin for tool-1.1.tar.gz" in moved(made, capsys)


def test_a_variant_that_no_release_has_is_not_pinned_any_more(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    (upstream.folder / "tool-1.0-mirror.tar.gz").write_bytes(
        (upstream.folder / "tool-1.0.tar.gz").read_bytes()
    )
    more = f' }}, {{ url = "{upstream.url("tool-1.0-mirror.tar.gz")}", variant = "mirror" }}]'
    made.file.write_text(re.sub(r" \}\]$", more, made.file.read_text(), flags=re.MULTILINE))
    with made.knowing():
        request = Request(PROFILE, variants=("tool=mirror",))
        produce.produce(request, produce.each_source, made.place)
    assert "[tool.mirror]" in made.lock.read_text()
    upstream.release("1.1")
    upstream.list("1.1")
    assert "note: tool: variant mirror is not pinned any more: " in moved(made, capsys)
    assert "mirror" not in made.lock.read_text()


def test_check_only_says_what_is_there_also_in_ci(
    made: Desk,
    upstream: Upstream,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upstream.list("1.1")
    before = specs(made)
    monkeypatch.setenv(ci.VARIABLE, "true")
    told = moved(made, capsys, check=True)
    assert told == f"tool: 1.0; available: 1.1 ({upstream.url('releases.json')})\n"
    with pytest.raises(UsageError) as caught:
        update(PROFILE, "tool", made.place, check=False)
    assert "env -u CI invoke update tool --profile small" in caught.value.hint
    (upstream.folder / "releases.json").write_text("[]")
    assert f"  {upstream.url('releases.json')}: Expected `object`" in moved(
        made, capsys, check=True
    )
    (upstream.folder / "releases.json").unlink()
    told = moved(made, capsys, check=True)
    assert told.startswith("tool: 1.0; no list of releases is available\n")
    assert "404" in told
    assert specs(made) == before


def test_check_leaves_a_cache_of_an_earlier_version_to_the_next_build(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Desk(made.world, made.said)
    old.world.cache = made.world.cache.with_name("old")
    earlier(old.cache.root)
    before = sorted(old.cache.root.rglob("*"))
    upstream.list("1.1")
    update(PROFILE, "", old.place, check=True)
    assert "available: 1.1" in capsys.readouterr().out
    assert "the next build takes it over" in made.said.getvalue()
    assert sorted(old.cache.root.rglob("*")) == before
    assert ownership.is_outdated(old.cache)


def test_a_source_without_releases_is_told_and_refused_by_name(
    made: Desk, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(made, 'version = "1.0"', 'version = "7"')
    assert "tool: the name tool-1.0.tar.gz has no version" in moved(made, capsys)
    with pytest.raises(UsageError, match="has no version that could be moved"):
        update(PROFILE, "tool", made.place, check=True)
    with pytest.raises(UsageError, match="has no source 'tol'; did you mean 'tool'"):
        update(PROFILE, "tol", made.place, check=True)


def test_a_layout_that_lines_cannot_edit_is_told(made: Desk, upstream: Upstream) -> None:
    upstream.release("1.1")
    upstream.list("1.1")
    edit(made, 'file = "tool-1.0.tar.gz"', 'file = """\ntool-1.0.tar.gz"""')
    before = specs(made)
    with pytest.raises(UsageError, match=r"source\.tool\.file"):
        update(PROFILE, "tool", made.place, check=False)
    assert specs(made) == before


def test_ci_fetches_only_what_is_pinned(
    made: Desk, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.lock.unlink()
    monkeypatch.setenv(ci.VARIABLE, "true")
    with pytest.raises(VerificationError, match="CI=true forbids its first use"):
        produce.produce(REQUEST, produce.each_source, made.place)
    assert not made.lock.exists()
