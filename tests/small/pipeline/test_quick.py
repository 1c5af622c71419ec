"""A build in which nothing runs looks at files and reads none: it answers at once."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from builder.base.packages import encode
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.facts import NONE
from builder.pipeline.schedule import all_inputs, with_needs
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind, is_of
from builder.pipeline.store import OUTPUT
from builder.place import Place
from builder.stages.image import PACKAGES
from builder.stages.request import Request
from builder.stages.session import open_session
from tests import world
from tests.world import ROOT

# Its project is a small world: finished outputs of a few files for each stage of lts.
COUNT = 23
FILES = 20  # of each output
REQUEST = Request("lts", "vm", locked=True)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Cache]:
    """The profile lts with a finished output for each of its stages, as if it had been built."""
    root = tmp_path_factory.mktemp("lts")
    project, cache = Project(root / "project"), Cache(root / "cache")
    project.root.mkdir()
    shutil.copy(ROOT / "tasks.py", project.root)
    for name in ("builder", "specs", "patches", "dockerfiles"):
        world.copy(ROOT / name, project.root / name)
    with open_session(REQUEST, Place(project, cache, Console())) as session:
        done: dict[str, Done] = {}
        for stage in with_needs(session.stages, ["smoke"]):
            inputs = all_inputs(stage, done)
            work = root / "work"
            (work / OUTPUT / "tree").mkdir(parents=True)
            for number in range(FILES):
                (work / OUTPUT / "tree" / f"file{number}").write_text(stage.name)
            if is_of(stage.name, StageKind.IMAGE):
                (work / OUTPUT / PACKAGES).write_bytes(encode(()))
            done[stage.name] = session.store.commit(
                stage.name,
                inputs,
                work,
                listed=stage.listed,
                by_content=stage.by_content,
                started=time.time(),
                facts=NONE,
                log=root / "log",
            )
    assert len(done) == COUNT
    return project, cache


MOST = 2.6  # 2.0 were measured


def _invoke(settled: tuple[Project, Cache], *words: str) -> subprocess.CompletedProcess[str]:
    project, cache = settled
    return subprocess.run(
        (sys.executable, "-m", "invoke", *words, "--profile", "lts"),
        cwd=project.root,
        env={**os.environ, "LVS_BUILDER_CACHE": str(cache.root)},
        capture_output=True,
        text=True,
        check=False,
    )


def _processor_seconds(work: Callable[[], object]) -> float:
    """What the programs that ``work`` runs compute, whatever else this machine does."""
    before = os.times()
    work()
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_nothing_changed_is_said_at_once(
    settled: tuple[Project, Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)  # it counts lines, which takes longer than some of them
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # nobody compiles at each start
    ended = _invoke(settled, "build", "--flavour", "vm")
    assert ended.returncode == 0, ended.stderr
    assert "nothing has changed" in ended.stderr
    bare = (sys.executable, "-c", "import invoke")
    ratios = [
        _processor_seconds(lambda: _invoke(settled, "build", "--flavour", "vm"))
        / _processor_seconds(lambda: subprocess.run(bare, check=True))
        for _ in range(5)
    ]
    print(f"processor time over `import invoke`: {ratios}")
    # On a quiet machine `import invoke` takes 0.11 s: the line is 0.3 seconds.
    assert statistics.median(ratios) < MOST


def test_a_published_file_that_was_changed_is_told_and_published_again(
    settled: tuple[Project, Cache],
) -> None:
    build = ("build", "--flavour", "vm")
    assert _invoke(settled, *build).returncode == 0
    file = settled[0].artifacts("lts") / "vm" / "tree" / "file0"
    good = file.read_text()
    file.write_text("V" + good[1:])
    told = _invoke(settled, "verify")
    assert told.returncode == 4
    assert f"bad: {file}: vm/tree/file0 has changed" in told.stdout
    ended = _invoke(settled, *build)
    assert ended.returncode == 0, ended.stderr
    assert "artifacts/lts: tree/file0 has changed; it is published again" in ended.stderr
    assert file.read_text() == good
    told = _invoke(settled, "verify")
    assert told.returncode == 0, told.stdout
    assert f"{COUNT} finished stages, {3 * FILES} published files; all are good" in told.stdout


def test_fix_takes_a_changed_folder_away(settled: tuple[Project, Cache]) -> None:
    folder = settled[0].artifacts("lts") / "vm"
    (folder / "tree" / "file0").write_text("changed")
    (folder / "tree" / "file7").unlink()
    told = _invoke(settled, "verify", "--fix").stdout
    assert told.count("bad: ") == 2
    assert "vm/ was removed" in told
    assert not folder.exists()
    assert _invoke(settled, "build", "--flavour", "vm").returncode == 0
    assert folder.is_dir()
