"""Nobody's folder is taken for the builder's cache, and every cache of ours is known again."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import BuilderError, EnvironmentFailure, UsageError
from builder.host import ownership
from builder.host.builduser import unused_number
from builder.host.ownership import MARK, TAG, State
from builder.host.paths import Cache, find_cache, find_project
from tests.unit.host.test_lock import holder, let_go

QUIET = Console(io.StringIO(), interactive=False)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def use(cache: Cache) -> None:
    with ownership.use(cache, QUIET):
        pass


def refusal_of(cache: Cache) -> BuilderError:
    with pytest.raises(BuilderError) as caught:
        use(cache)
    return caught.value


def earlier(root: Path) -> Cache:
    """What the version before the mark left: its folders, a finished stage, a dead run."""
    cache = Cache(root)
    for folder in (*cache.folders, cache.locks):
        folder.mkdir(parents=True)
    cache.bench.rmdir()
    (cache.locks / "profile lts.lock").touch()
    (cache.locks / "profile lts.holder").touch()
    (cache.locks / "source-kernel-0123456789abcdef.lock").touch()
    (cache.blobs / ("0" * 64)).write_text("blob")
    (cache.root / "accelerator-d5b4c1e2-0000-4000-8000-0123456789ab.json").write_text("{}")
    (cache.stages / "image-build" / "abc").mkdir(parents=True)
    (cache.scratch / "lts-20261125-101112-77" / "vm" / "work").mkdir(parents=True)
    (cache.scratch / ".build-kernel.removed-77-0").mkdir()
    (cache.logs / "lts-20261125-101112-77").mkdir()
    (cache.logs / "engine.log").write_text("words")
    (cache.ledger / "lts-vm-debian12.json").write_text("{}")
    return cache


def test_a_new_cache_is_private_tagged_and_marked(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "cache")
    assert ownership.examine(cache) is State.NEW
    use(cache)
    assert ownership.examine(cache) is State.MARKED
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
    first = (cache.root / TAG).read_text().splitlines()[0]
    assert first == "Signature: 8a477f597d28d172789f06886806bc55"
    assert json.loads((cache.root / MARK).read_text())["layout"] == ownership.LAYOUT


@pytest.mark.parametrize("name", ["", "lost+found"])
def test_an_empty_folder_becomes_the_cache_and_private(tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path / "cache")
    (cache.root / name).mkdir(parents=True)
    cache.root.chmod(0o755)
    use(cache)
    assert ownership.examine(cache) is State.MARKED
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700


def test_what_a_kill_in_the_making_left_is_finished(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.locks.mkdir(parents=True)
    (cache.locks / "cache.lock").touch()
    (cache.root / f".{MARK}.123").write_text('{"appl')
    use(cache)
    assert ownership.examine(cache) is State.MARKED


def test_a_cache_whose_mark_was_lost_is_marked_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    (cache.root / MARK).write_bytes(b"")
    cache.blobs.mkdir()
    assert ownership.examine(cache) is State.EARLIER
    use(cache)
    assert ownership.examine(cache) is State.MARKED


def test_an_earlier_cache_is_taken_over_once_and_keeps_what_took_time(tmp_path: Path) -> None:
    cache = earlier(tmp_path / "cache")
    cache.root.chmod(0o755)
    assert ownership.examine(cache) is State.EARLIER
    said = io.StringIO()
    for _ in range(2):
        with ownership.use(cache, Console(said, interactive=False)):
            pass
    assert said.getvalue().count("earlier version") == 1
    assert ownership.examine(cache) is State.MARKED
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
    assert (cache.blobs / ("0" * 64)).is_file()
    assert not cache.stages.exists(), "without a listing no stage's output is used again"
    assert (cache.logs / "engine.log").is_file()
    assert not cache.scratch.exists(), "folders of the old layout would never be swept"
    assert [path.name for path in cache.logs.iterdir()] == ["engine.log"]
    assert not cache.ledger.exists()


def test_a_cache_of_an_earlier_layout_keeps_its_sources_and_loses_its_stages(
    tmp_path: Path,
) -> None:
    cache = earlier(tmp_path / "cache")
    use(cache)
    (cache.stages / "build-kernel" / "abc").mkdir(parents=True)
    mark = cache.root / MARK
    mark.write_text(mark.read_text().replace(f'"layout":{ownership.LAYOUT}', '"layout":2'))
    assert ownership.examine(cache) is State.MARKED
    assert ownership.is_outdated(cache)
    with ownership.read(cache, Console(io.StringIO(), interactive=False)):
        pass  # who only reads sweeps nothing
    assert (cache.stages / "build-kernel" / "abc").is_dir()
    said = io.StringIO()
    for _ in range(2):
        with ownership.use(cache, Console(said, interactive=False)):
            pass
    assert said.getvalue().count("finished stages are made anew, sources are kept") == 1
    assert not cache.stages.exists()
    assert (cache.blobs / ("0" * 64)).is_file()
    assert not ownership.is_outdated(cache)


class Waited(io.StringIO):
    """Messages; the holder lets go as soon as somebody says that it waits."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self._process = process

    def write(self, text: str) -> int:
        if "waiting for" in text:
            let_go(self._process)
        return super().write(text)


def test_a_run_of_the_earlier_version_is_waited_for(tmp_path: Path) -> None:
    cache = earlier(tmp_path / "cache")
    with holder(cache.locks / "profile lts.lock") as process:
        said = Waited(process)
        with ownership.use(cache, Console(said, interactive=False)):
            assert process.wait(10) == 0
    assert f"profile lts: waiting for process {process.pid}" in said.getvalue()


def test_many_that_begin_at_once_make_one_cache(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from builder.console import Console; "
        "from builder.host import ownership; from builder.host.paths import Cache; "
        "use = ownership.use(Cache(Path(sys.argv[1])), Console()); use.__enter__()"
    )
    many = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "cache"], stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    complaints = [one.communicate(timeout=60)[1] for one in many]
    assert [one.returncode for one in many] == [0] * 4, complaints
    assert ownership.examine(Cache(tmp_path / "cache")) is State.MARKED


@pytest.mark.parametrize(
    "names",
    [
        ("Documents",),
        ("locks", "Documents"),
        (".bashrc",),
        ("logs", "engine"),
        ("locks/a-file-of-mine", "logs"),
        (TAG,),
        ("blobs", "stages"),
        ("locks", "stages/holiday/paris"),
    ],
)
def test_nobody_s_folder_is_refused_and_not_touched(tmp_path: Path, names: tuple[str, ...]) -> None:
    cache = Cache(tmp_path / "mine")
    for name in names:
        (cache.root / name).mkdir(parents=True)
    cache.root.chmod(0o755)
    before = sorted(tmp_path.rglob("*"))
    assert ownership.examine(cache) is State.FOREIGN
    with pytest.raises(UsageError) as caught:
        use(cache)
    assert "is not the builder's cache" in caught.value.what
    assert "LVS_BUILDER_CACHE" in caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o755


@pytest.mark.parametrize("inside", ["", "user"])
def test_a_home_is_no_cache_even_if_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    (tmp_path / "home" / inside).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home" / inside))
    cache = Cache(tmp_path / "home")
    with pytest.raises(UsageError):
        use(cache)
    assert not (cache.root / MARK).exists()


def test_a_home_with_a_copied_mark_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    monkeypatch.setenv("HOME", str(cache.root))
    assert ownership.examine(cache) is State.FOREIGN


def test_the_mark_of_another_program_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.root.mkdir()
    (cache.root / MARK).write_text('{"application": "other", "layout": 2}')
    assert ownership.examine(cache) is State.FOREIGN


def test_the_cache_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    mark = cache.root / MARK
    mark.write_text(mark.read_text().replace(f'"layout":{ownership.LAYOUT}', '"layout":99'))
    with pytest.raises(UsageError, match="newer version"):
        use(cache)


@pytest.mark.parametrize("name", ["file", "x" * 5000, "new\nline", "a/file/b"])
def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    with pytest.raises(BuilderError) as caught:
        use(Cache(tmp_path / name))
    assert caught.value.exit_code == (2 if "\n" in name else 7)
    assert caught.value.what.isprintable()
    assert "LVS_BUILDER_CACHE" in caught.value.hint


@needs_root
def test_another_user_s_cache_is_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    os.chown(cache.root, 12345, 12345)
    with pytest.raises(BuilderError) as caught:
        use(cache)
    assert caught.value.exit_code == 7
    assert "owned by user 12345" in caught.value.cause


@needs_root
def test_another_user_s_empty_folder_stays_theirs(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.root.mkdir(mode=0o755)
    os.chown(cache.root, 12345, 12345)
    assert refusal_of(cache).exit_code == 7
    found = cache.root.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (12345, 0o755)
    assert not any(cache.root.iterdir())


@needs_root
@pytest.mark.parametrize("name", [".", *(path.name for path in Cache(Path()).folders), "locks"])
def test_a_folder_of_another_user_in_a_cache_is_refused(tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    (cache.root / name).mkdir(exist_ok=True)
    os.chown(cache.root / name, 12345, 12345)
    failure = refusal_of(cache)
    assert failure.exit_code == 7
    assert str(cache.root / name) in failure.what
    assert "owned by user 12345" in failure.cause
    with pytest.raises(EnvironmentFailure), ownership.read(cache, QUIET):
        pass


@needs_root
def test_the_compiler_s_cache_may_belong_to_the_builds(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    cache.ccache.mkdir()
    os.chown(cache.ccache, unused_number(), unused_number())
    use(cache)
    assert cache.ccache.stat().st_uid == unused_number()


@needs_root
def test_a_mark_that_another_user_put_there_is_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    os.chown(cache.root / MARK, 12345, 12345)
    assert refusal_of(cache).exit_code == 7


def test_a_cache_that_was_opened_to_others_is_private_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    cache.root.chmod(0o777)
    said = io.StringIO()
    for _ in range(2):
        with ownership.use(cache, Console(said, interactive=False)):
            assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
    assert said.getvalue().count("had mode 777: it is 700 again") == 1


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o1755])
@pytest.mark.parametrize("inside", ["", "locks/x.lock"])
def test_a_folder_that_others_share_does_not_become_private(
    tmp_path: Path, mode: int, inside: str
) -> None:
    cache = Cache(tmp_path / "shared")
    cache.root.mkdir()
    if inside:
        (cache.root / inside).parent.mkdir()
        (cache.root / inside).touch()
    cache.root.chmod(mode)
    before = sorted(tmp_path.rglob("*"))
    assert refusal_of(cache).exit_code == 2
    assert stat.S_IMODE(cache.root.stat().st_mode) == mode
    assert sorted(tmp_path.rglob("*")) == before


def test_a_marked_folder_that_users_share_is_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    cache.root.chmod(0o1777)
    assert "sticky" in refusal_of(cache).cause
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o1777


@needs_root
def test_a_folder_of_the_system_does_not_become_private() -> None:
    folder = Path(f"/lvs-fullnat-builder-test-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        failure = refusal_of(Cache(folder))
        assert failure.exit_code == 2
        assert f"LVS_BUILDER_CACHE={folder}/lvs-fullnat-builder" in failure.hint
        assert not any(folder.iterdir())
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["artifacts", "specs", "patches/small", "sources/x", "builder"])
def test_a_cache_among_the_checkout_s_files_is_refused(name: str) -> None:
    cache = Cache(find_project().root / name / "cache")
    with pytest.raises(UsageError, match="cannot be"):
        ownership.examine(cache)
    assert refusal_of(cache).exit_code == 2
    assert not cache.root.exists()


@pytest.mark.parametrize("name", ["logs", "scratch", "locks", "blobs"])
@pytest.mark.parametrize("state", [State.MARKED, State.EARLIER])
def test_a_link_for_a_folder_of_the_cache_is_refused(
    tmp_path: Path, name: str, state: State
) -> None:
    cache = earlier(tmp_path / "cache")
    if state is State.MARKED:
        use(cache)
    if (cache.root / name).exists():
        (cache.root / name).rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").mkdir()
    (cache.root / name).symlink_to(tmp_path / "elsewhere")
    assert ownership.examine(cache) is state
    before = sorted(tmp_path.rglob("*"))
    failure = refusal_of(cache)
    assert failure.exit_code == 2
    assert f"{cache.root / name} is a link" in failure.cause
    with pytest.raises(UsageError), ownership.read(cache, QUIET):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_the_engine_may_lie_on_another_disk(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    (tmp_path / "elsewhere").mkdir()
    cache.engine.symlink_to(tmp_path / "elsewhere")
    use(cache)
    (tmp_path / "elsewhere").rmdir()
    use(cache)
    assert cache.engine.is_symlink()


def test_nothing_is_made_on_the_way_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("LVS_BUILDER_CACHE", "x/../..")
    assert find_cache().root == tmp_path
    assert refusal_of(find_cache()).exit_code == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "notes.txt"]


def test_strangers_in_a_cache_are_named(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    use(cache)
    (cache.root / "notes.txt").touch()
    (cache.root / ".blobs.removed-7-0").mkdir()
    assert ownership.strangers(cache) == ("notes.txt",)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with ownership.read(cache, QUIET):
        assert not cache.root.exists()


@needs_root
def test_a_read_only_place_is_told_in_three_lines(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", tmp_path / "disk"], check=True)
    try:
        with pytest.raises(EnvironmentFailure, match="Read-only file system"):
            use(Cache(tmp_path / "disk" / "cache"))
    finally:
        subprocess.run(["umount", tmp_path / "disk"], check=True)
