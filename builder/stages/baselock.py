"""Compares the images of a base with its lock, and writes it: ``--lock`` and ``--hermetic``."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from builder.base import difference, lock, snapshot
from builder.base.difference import PackageChange
from builder.base.lock import LockedRoot
from builder.base.packages import BasePackage
from builder.errors import BaseDiffers, UsageError
from builder.host.paths import Project
from builder.pipeline import digest
from builder.pipeline import run as runs
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.stagename import BUILD_ROOT, GUEST_ROOT
from builder.pipeline.store import Store
from builder.profile.build import Build
from builder.report.record import ImageRecord
from builder.stages.image import packages_of
from builder.stages.setting import Setting

STAGES = (BUILD_ROOT, GUEST_ROOT)


class Held(msgspec.Struct, frozen=True):
    """One image, compared with the lock; ``changes`` is None if the lock has no table for it."""

    done: Done
    root: str
    packages: tuple[BasePackage, ...]
    changes: tuple[PackageChange, ...] | None


@dataclass
class BaseLock:
    """The lock of one run's base.

    ``hermetic``: a base that differs from it ends the run.  ``see`` is given every image as soon
    as it is settled, and says once in one line how many packages differ.
    """

    setting: Setting
    hermetic: bool = False
    _wanted: set[str] = field(default_factory=set)
    _held: dict[str, Held] = field(default_factory=dict)
    _told: str = ""

    @property
    def path(self) -> Path:
        return lock.path_of(self.setting.build.base.folder)

    @cached_property
    def locked(self) -> lock.Roots | None:
        """What the lock has, as this run finds it; None if there is none.  Raises UsageError."""
        return lock.read(self.path)

    @property
    def shown(self) -> str:
        return _shown(self.path, self.setting.project)

    def root(self, stage: str) -> str:
        """The name of the lock's table for an image."""
        if stage == BUILD_ROOT:
            return lock.BUILD
        return f"{lock.GUEST}.{self.setting.build.base.guest_name}"

    def expect(self, stages: Iterable[str]) -> None:
        """These stages are about to be settled.

        Raises UsageError for a lock that cannot be understood, and in a hermetic run for a lock
        that lacks what is needed.
        """
        wanted = [stage for stage in stages if stage in STAGES]
        if not wanted:
            return
        locked = self.locked or {}
        self._wanted.update(wanted)
        for stage in wanted if self.hermetic else ():
            if self.root(stage) not in locked:
                cause = f"{self.shown} has no table for {self.root(stage)}"
                raise _unlocked(self.setting.build, cause)

    def see(self, done: Done) -> None:
        """Compare an image with the lock, if there is one.

        Raises BaseDiffers in a hermetic run, and Damaged.
        """
        if done.name not in STAGES or self.locked is None:
            return
        held = self._hold(done)
        self._held[done.name] = held
        if self.hermetic and held.changes:
            raise self._refusal(held)
        if self._wanted <= self._held.keys():
            line = self._line(self._held.values())
            if line != self._told:
                self.setting.console.say(line)
                self._told = line

    def look(self, stages: Iterable[Stage], store: Store) -> list[str]:
        """The same line for those of ``stages`` that are settled already; none without a lock."""
        found: list[Held] = []
        for stage in stages:
            if stage.name in STAGES and self.locked is not None:
                try:
                    done = store.find(stage.name, digest.key(stage.inputs()))
                    found += [self._hold(done)] if done is not None else []
                except Damaged:  # explained as such
                    continue
        return [self._line(found)] if found else []

    def records(self, done: Iterable[Done]) -> tuple[ImageRecord, ...]:
        """What ``build.json`` says of the images among ``done``."""
        held = [self._hold(one) for one in _images(done)]
        return tuple(
            ImageRecord(
                stage=one.done.name,
                root=one.root,
                packages=one.packages,
                lock="" if one.changes is None else self.shown,
                differing=None if one.changes is None else len(one.changes),
                difference=difference.kinds(one.changes or ()),
            )
            for one in held
        )

    def write(self, done: Iterable[Done]) -> list[str]:
        """Lock the images among ``done``; a line to print."""
        held = [self._hold(one) for one in _images(done)]
        name = f"base {self.setting.build.base.name}"
        with runs.alone(None, self.setting.project, (name,), self.setting.console):
            roots = {one.root: LockedRoot(_started(one.done), one.packages) for one in held}
            changed = lock.write(self.path, roots)
        counts = ", ".join(f"{len(one.packages)} of {one.root}" for one in held)
        return [f"{self.shown}: {'written' if changed else 'as it was'}; packages: {counts}"]

    def _hold(self, done: Done) -> Held:
        root, present = self.root(done.name), packages_of(done)
        known = (self.locked or {}).get(root)
        changes = None if known is None else difference.compare(known.packages, present)
        return Held(done, root, present, changes)

    def _line(self, held: Iterable[Held]) -> str:
        images = tuple(held)
        changes = tuple(change for one in images for change in one.changes or ())
        unknown = " and ".join(one.root for one in images if one.changes is None)
        name = f"base {self.setting.build.base.name}"
        if all(one.changes is None for one in images):
            return f"{name} is not compared: {self.shown} has no table for {unknown}"
        words = f"{name}: {difference.count(len(changes))} from {self.shown}"
        if changes:
            words += f": {difference.kinds(changes)}"
        return f"{words}; it has no table for {unknown}" if unknown else words

    def _refusal(self, held: Held) -> BaseDiffers:
        changes = held.changes or ()
        name = self.setting.build.base.name
        return BaseDiffers(
            f"base {name} is not the locked one: {difference.count(len(changes))} "
            f"from {self.shown} in {held.done.name}",
            difference.named(changes),
            _advice(self.setting, made_now=not held.done.hit),
        )


def require(project: Project, build: Build) -> None:
    """Check that the base has a lock, before a hermetic run waits for anything.

    Raises UsageError that says how to make one, or what is wrong with it.
    """
    path = lock.path_of(build.base.folder)
    if lock.read(path) is None:
        raise _unlocked(build, f"{_shown(path, project)} does not exist")


def locking(build: Build, *options: str) -> str:
    """The command that makes the images of a base, with such options as ``--lock``."""
    base = build.base.name
    named = () if base == build.default_base else ("--base", base)
    return " ".join(("invoke image", *options, "--profile", build.profile, *named))


def _unlocked(build: Build, cause: str) -> UsageError:
    return UsageError(
        f"--hermetic needs a lock of base {build.base.name} to hold it against",
        cause,
        f"make one, and commit it: {locking(build, '--lock')}",
    )


def _images(done: Iterable[Done]) -> list[Done]:
    return sorted((one for one in done if one.name in STAGES), key=lambda one: one.name)


def _shown(path: Path, project: Project) -> str:
    return str(path.relative_to(project.root))


def _started(done: Done) -> datetime.datetime:
    """When an image was made of the packages of that day, here or on another machine."""
    origin = done.manifest.provenance
    began = origin.made if origin else done.manifest.started
    return datetime.datetime.fromtimestamp(int(began), datetime.UTC)


def _advice(setting: Setting, *, made_now: bool) -> str:
    """What to do about a base that differs: one that was made earlier may only be old."""
    if not made_now:
        return f"make it anew: {locking(setting.build, '--refresh', '--hermetic')}"
    return (
        f"lock what is present: {locking(setting.build, '--lock')}\n"
        f"or name a mirror that has the locked packages: {snapshot.VARIABLE}=..., "
        "see docs/explanation/profiles.md#pinning-the-base"
    )
