"""A full disk ends in three lines and exit code 7, costs only what was under way, and can be left.

Each world here has a cache of its own on a small file system in memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.console import Console
from builder.engine.private import private_engine
from builder.host import ownership
from builder.host.paths import Cache
from tests import world
from tests.world import PATCH, SOURCE, SPEC, Outcome, World

pytestmark = [pytest.mark.timeout(900)]
BUILD = ("build", "--profile", "small", "--only", "tool")
FETCH = ("fetch", "--profile", "small")
PREPARE = ("patch", "--profile", "small")
KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True)
class Disk:
    """A file system in memory."""

    mount: Path

    def resize(self, size: int) -> None:
        self._remount(f"size={size}")

    def resize_files(self, most: int) -> None:
        """Let the disk hold ``most`` files, folders and links."""
        self._remount(f"nr_inodes={most}")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.mount)], check=True)

    def leave(self, free: int) -> None:
        """Make the disk so large that ``free`` bytes are left on it."""
        room = os.statvfs(self.mount)
        self.resize((room.f_blocks - room.f_bfree) * room.f_frsize + free)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


@pytest.fixture
def tight(tmp_path: Path, disk: Disk) -> World:
    """A small project whose cache is on the small disk; its engine and base are not there yet."""
    with ownership.use(Cache(disk.mount / "cache"), Console()):
        pass  # what is lent is put into a cache, not into somebody's folder
    return world.make(tmp_path / "tight", disk.mount / "cache")


def lend(shared: World, tight: World, *names: str) -> None:
    """Let ``tight`` use the shared cache's engine or bases, which lie on a large disk."""
    for name in names:
        place = tight.cache / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shared.cache / name).mkdir(parents=True, exist_ok=True)
        place.symlink_to(shared.cache / name)


@pytest.fixture
def based(small: World, tight: World) -> World:
    """``tight`` with an engine and a base that do not count."""
    made = small.run("image", "--profile", "small")
    assert made.status == 0, made.errors
    lend(small, tight, "engine", "stages/image-build", "stages/image-guest")
    return tight


def told(ended: Outcome, disk: Disk) -> str:
    """Hold a failure against what every full disk must end in; returns its words."""
    words = ended.errors[ended.errors.find("failed: ") :]
    assert ended.status == 7, ended.errors
    assert words.startswith("failed: "), ended.errors
    assert "\ncause: " in words
    assert "\nnext:  " in words
    assert "no space left" in words.lower()
    assert str(disk.mount) in words
    assert " free" in words
    assert "Traceback" not in ended.errors
    return words


def left(tight: World) -> list[str]:
    """What must not be left: mounts and containers of this cache, scratch and unfinished files."""
    engine = private_engine(Cache(tight.cache))
    containers = [
        str(path)
        for path in engine.data.glob("containers/*/config.v2.json")
        if str(tight.cache) in path.read_text()
    ]
    aside = [str(path) for path in tight.cache.glob("**/.*") if path.is_file()]
    ours = [engine.run] if engine.home == tight.cache / "engine" and engine.run.exists() else []
    return [*tight.leavings(), *containers, *aside, *map(str, ours)]


def finished(tight: World) -> set[str]:
    """The finished stages on the small disk; what was lent is others' business."""
    own = [folder for folder in tight.cache.glob("stages/*") if not folder.is_symlink()]
    return {str(path) for folder in own for path in folder.glob("*/stage.json")}


def big_source(tight: World, size: int) -> None:
    """A source with a file of ``size`` bytes that hardly compresses."""
    tight.write_source(
        {**SOURCE, "tool.c": SOURCE["tool.c"] + f"/* {os.urandom(size // 2).hex()} */\n"}
    )


def test_a_source_that_does_not_fit(tight: World, disk: Disk) -> None:
    big_source(tight, 2 * MIB)
    disk.leave(MIB)
    assert "(stage fetch:tool)" in told(tight.run(*FETCH), disk)
    assert left(tight) == []
    disk.resize(64 * MIB)
    assert tight.run(*FETCH).status == 0
    done = finished(tight)
    disk.leave(MIB)
    assert "(stage unpack:tool)" in told(tight.run(*PREPARE), disk)
    assert finished(tight) == done
    assert left(tight) == []
    disk.resize(64 * MIB)
    again = tight.run(*PREPARE)
    assert again.status == 0, again.errors
    assert "fetch:tool: started" not in again.errors


def unpacked(tight: World, **files: str) -> World:
    """``tight`` with an unpacked source and a patch that goes on it, not applied yet."""
    tight.write_source({**SOURCE, **files})
    tight.write_patches(say_two=PATCH.replace("one", "eleven"))
    assert tight.run(*PREPARE).status == 5
    tight.write_patches(say_two=PATCH)
    assert tight.run(*FETCH).status == 0  # which sweeps what the failed run left
    return tight


def test_patches_that_do_not_fit_into_the_temporary_folder(tight: World, disk: Disk) -> None:
    unpacked(tight, **{"tool.c": SOURCE["tool.c"] + "//\n" * 100_000})
    temporary = disk.mount / "tmp"
    temporary.mkdir()
    disk.leave(200 * KIB)
    cramped = replace(tight, env={"TMPDIR": str(temporary)})
    told(cramped.run(*PREPARE, "--check"), disk)
    assert "(stage prep:tool)" in told(cramped.run(*PREPARE), disk)
    assert list(temporary.iterdir()) == []
    assert left(tight) == []
    disk.resize(64 * MIB)
    again = cramped.run(*PREPARE)
    assert again.status == 0, again.errors
    assert "unpack:tool: started" not in again.errors


def test_a_tree_of_more_files_than_the_disk_can_hold(tight: World, disk: Disk) -> None:
    unpacked(tight, **{f"{number}/a.c": "" for number in range(200)})
    room = os.statvfs(disk.mount)
    disk.resize_files(room.f_files - room.f_ffree + 60)
    words = told(tight.run(*PREPARE), disk)
    assert "No space left on device" in words
    assert left(tight) == []
    disk.resize_files(10_000)
    assert tight.run(*PREPARE).status == 0


def test_a_full_disk_under_the_project(tmp_path: Path, disk: Disk) -> None:
    near = world.make(disk.mount / "project", tmp_path / "cache")
    (near.project / "sources.lock").write_text("")
    disk.leave(0)
    told(near.run(*FETCH), disk)
    assert left(near) == []
    disk.resize(64 * MIB)
    assert near.run(*FETCH).status == 0


COMPILED = 'asm(".data\\n.fill 3000000, 4, 0x5a5a5a5a\\n.text");\nint main(void) { return 0; }\n'
MORE = "head -c 6000000 /dev/urandom"
CASES = {
    # The assembler's words, the archiver's, none, and more than the log has room for.
    "compiler": ({**SOURCE, "tool.c": COMPILED}, SPEC, "No space left on device"),
    "rpmbuild": (
        SOURCE,
        SPEC.replace("%files", f"{MORE} >%{{buildroot}}/usr/bin/more\n\n%files\n/usr/bin/more"),
        "No space left on device",
    ),
    "silent": (SOURCE, SPEC.replace("make %", "cat /dev/zero >rest 2>/dev/null; make %"), ""),
    "talkative": (
        SOURCE,
        SPEC.replace("make %", "cat /dev/zero >rest || yes; sleep 99; make %"),
        "cannot write the log build-tool.log",
    ),
}


@pytest.mark.engine
@pytest.mark.parametrize("case", CASES)
def test_a_build_that_does_not_fit(based: World, disk: Disk, case: str) -> None:
    files, spec, words = CASES[case]
    based.write_source(files)
    based.write_patches()
    assert based.run(*PREPARE).status == 0
    based.write_spec(spec)
    done = finished(based)
    disk.leave(9 * MIB)
    said = told(based.run(*BUILD), disk)
    assert words in said
    assert "(stage build:tool)" in said
    (log,) = [line for line in said.splitlines() if line.startswith("log:")]
    assert Path(log.removeprefix("log:").strip()).is_file()
    assert finished(based) == done
    assert left(based) == []
    if case != "compiler":
        return
    disk.resize(256 * MIB)
    again = based.run(*BUILD)
    assert again.status == 0, again.errors
    assert "prep:tool: started" not in again.errors


@pytest.mark.engine
@pytest.mark.parametrize("room", [100 * KIB, 120 * MIB], ids=["start", "import"])
def test_an_engine_whose_disk_is_full(small: World, tight: World, disk: Disk, room: int) -> None:
    assert small.run("image", "--profile", "small").status == 0
    lend(small, tight, "stages/image-build", "stages/image-guest")
    assert tight.run(*PREPARE).status == 0
    done = finished(tight)
    disk.leave(room)
    assert "(stage build:tool)" in told(tight.run(*BUILD), disk)
    assert finished(tight) == done
    assert left(tight) == []
    # With room, also an engine that was cut off while it wrote its databases starts.
    disk.leave(120 * MIB)
    assert "does not start" not in told(tight.run(*BUILD), disk)


@pytest.mark.registry
def test_a_base_that_does_not_fit(tight: World, disk: Disk) -> None:
    disk.leave(150 * MIB)
    said = told(tight.run("image", "--profile", "small"), disk)
    assert "(stage image:" in said
    assert finished(tight) == set()
    assert left(tight) == []


NOT_COMPILED = """
%install
mkdir -p %{buildroot}/boot %{buildroot}/usr/lib/modules/1.0
echo kernel >%{buildroot}/boot/vmlinuz-1.0
echo initial >%{buildroot}/boot/initramfs-1.0.img
echo none >%{buildroot}/usr/lib/modules/1.0/modules.order

%files
/boot/*
/usr/lib/modules/1.0

%changelog
"""


@pytest.mark.engine
def test_a_repository_and_a_disk_image_that_do_not_fit(based: World, disk: Disk) -> None:
    begin, _, rest = SPEC.partition("%build")
    based.write_spec(begin + NOT_COMPILED.lstrip() + rest.partition("%changelog\n")[2])
    profile = based.project / "specs" / "small" / "profile.toml"
    profile.write_text('install = ["tool"]\n' + profile.read_text())
    shutil.copy(world.ROOT / "specs" / "lts" / "target-el9.toml", profile.with_name("target.toml"))
    assert based.run(*BUILD).status == 0
    done = finished(based)
    disk.leave(80 * MIB)
    said = told(based.run("repo", "--profile", "small"), disk)
    assert "(stage repo)" in said
    assert finished(based) == done
    assert left(based) == []
    disk.resize(1500 * MIB)
    again = based.run("repo", "--profile", "small")
    assert again.status == 0, again.errors
    assert "build:tool: started" not in again.errors
    done = finished(based)
    disk.leave(600 * MIB)
    said = told(based.run("vm", "--profile", "small"), disk)
    assert "(stage vm)" in said
    assert finished(based) == done
    assert left(based) == []
    disk.resize(1500 * MIB)
    again = based.run("vm", "--profile", "small")
    assert again.status == 0, again.errors
    assert "repo: started" not in again.errors
