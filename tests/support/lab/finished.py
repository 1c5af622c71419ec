"""A cache in which the profile lts is built, as far as stages and digests go: outputs are a few
bytes each, so that what looks for them, publishes them and judges recordings takes no build."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline import digest
from builder.pipeline.facts import NONE
from builder.pipeline.schedule import all_inputs, with_needs
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind
from builder.pipeline.store import OUTPUT
from builder.place import Place
from builder.stages import image as image_stage
from builder.stages import lab as stages
from builder.stages.accelerator import BOOT_ID
from builder.stages.products import TAR
from builder.stages.request import Request
from builder.stages.session import Session, open_session
from tests.support.lab import recordings
from tests.support.lab.wire import Wire
from tests.support.pipeline import known
from tests.world import ROOT

Fill = Callable[[Path], object]
"""Makes a stage's output in a folder that is empty, or is not there yet."""


def place(root: Path) -> Place:
    """A checkout of this project's files with artifacts of its own, and an empty cache."""
    checkout = root / "checkout"
    checkout.mkdir()
    for name in ("builder", "dockerfiles", "patches", "specs"):
        (checkout / name).symlink_to(ROOT / name)
    console = Console(io.StringIO(), interactive=False)
    return Place(Project(checkout), Cache(root / "cache"), console)


@contextmanager
def emulated(root: Path) -> Iterator[Place]:
    """Such a place with the image of flavour vm; guests were found to run emulated here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(root))
        made = place(root)
        build(made, "vm", "vm")
        note = made.cache.accelerator(BOOT_ID.read_text().strip())
        note.write_text('{"kind": "tcg", "why": "the tests say so", "seconds": 0.0}')
        yield made


def image(text: str) -> Fill:
    """What the stage ``vm`` puts out."""

    def fill(folder: Path) -> None:
        for name in ("vmlinuz", "initrd.img", "cmdline"):
            (folder / name).write_text(name)
        (folder / "director.qcow2").write_text(text)
        (folder / "release").write_text("6.1.1-1.lvs.vm.x86_64\n")
        installed = ("frr-8-1.x86_64", "kernel-lvs-0:6.1.1-1.lvs.vm.x86_64")
        (folder / "packages").write_text("".join(f"{one}\n" for one in installed))

    return fill


def kernel(folder: Path) -> None:
    """The kernel's RPMs, one of which is installed."""
    (folder / "rpms").mkdir()
    for name in ("kernel-lvs-6.1.1-1.lvs.vm", "kernel-lvs-devel-6.1.1-1.lvs.vm"):
        (folder / "rpms" / f"{name}.x86_64.rpm").write_text(name)


def played(recording: Path) -> Fill:
    """What a scenario's machines have left, once more."""
    return lambda folder: shutil.copytree(recording, folder, dirs_exist_ok=True)


def _something(text: str) -> Fill:
    """What is another one if it is made of something else, as real outputs are."""

    def fill(folder: Path) -> None:
        for name in ("out", TAR):
            (folder / name).write_text(text)
        (folder / image_stage.PACKAGES).write_text("[]")

    return fill


def commit(session: Session, goal: str, fills: Mapping[str, Fill]) -> dict[str, Done]:
    """Finish the goal and what it needs, with a few bytes where nothing else is asked for."""
    done: dict[str, Done] = {}
    for stage in with_needs(session.stages, (goal,)):
        work = session.setting.cache.scratch / "made"
        (work / OUTPUT).mkdir(parents=True)
        inputs = all_inputs(stage, done)
        fills.get(stage.name, _something(digest.key(inputs)))(work / OUTPUT)
        done[stage.name] = session.store.commit(
            stage.name,
            inputs,
            work,
            listed=stage.listed,
            by_content=stage.by_content,
            started=time.time(),
            facts=NONE,
            log=work / "log",
        )
    return done


def _opened(place: Place, profile: str, flavour: str) -> AbstractContextManager[Session]:
    return open_session(Request(profile, flavour), place)


def build(
    place: Place,
    flavour: str,
    goal: str = "smoke",
    recorded: Mapping[str, Path] | None = None,
    profile: str = "lts",
) -> dict[str, Done]:
    """Build a flavour of lts up to ``goal``; ``recorded``: what scenarios' machines have left."""
    fills: dict[str, Fill] = {"vm": image(f"image {flavour}"), "build:kernel": kernel}
    with known.knowing(place.cache, place.console), _opened(place, profile, flavour) as session:
        done = commit(session, goal, fills)
        for name, folder in (recorded or {}).items():
            stage = StageKind.RECORD.of(name)
            commit(session, stage, fills | {stage: played(folder)})
        return done


def recording(
    place: Place, flavour: str, folder: Path, *, spoil: Callable[[Wire], object] = lambda wire: None
) -> Path:
    """A recording of the image that ``build`` makes, in a folder that is not there yet."""
    with _opened(place, "lts", flavour) as session:
        done = session.settle("vm")
        subject = stages.subject(session.setting, done["vm"], done)
    return recordings.make(folder, subject=subject, spoil=spoil)
