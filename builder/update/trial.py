"""Tries a changed profile where nobody sees it: in a copy of ``specs/`` elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.console import Console
from builder.errors import SourceUnreachable, VerificationError
from builder.forensics.findings import ProfileFindings
from builder.host.paths import Cache, Project
from builder.pipeline.stagename import StageKind
from builder.place import Place
from builder.profile import load
from builder.profile.build import Build, BuildPart
from builder.profile.model import Profile
from builder.source.known import valid_pins
from builder.source.model import Source
from builder.source.pins import Pin, open_lock
from builder.source.variant import DROPIN, known
from builder.stages import inspection
from builder.stages.products import TREE, pristine_stage
from builder.stages.request import Request, choose
from builder.stages.session import open_session

_NOT_COMPARED = "not compared with the old source"
_APART = ("specs", "artifacts", ".git")  # the first is copied, others are not needed


@dataclass(frozen=True)
class Tried:
    """The results for a profile's sources; ``trees``: the pristine tree of each component."""

    findings: ProfileFindings
    trees: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class UpdateTrial:
    """``project``: the copy of the checkout.  ``real``: the checkout itself."""

    project: Project
    real: Project
    profile: str
    cache: Cache
    console: Console

    @property
    def file(self) -> Path:
        return self.project.specs / self.profile / load.FILE_NAME

    def load(self) -> Profile:
        return load.load(self.project.specs, self.profile)

    def attempt(self, sources: Sequence[str]) -> Tried:
        """Fetch the new sources, only preferred variants, and try the series on their trees."""
        lock = open_lock(self.project, self.profile)
        for name in sources:
            lock.put(name, {})
        wanted = [f"{name}={self.load().source[name].preferred}" for name in sources]
        return self._try(self.project, sources, wanted, locked=False)

    def attempt_others(self, sources: Sequence[str]) -> tuple[list[Tried], list[str]]:
        """The same for the other variants that are pinned now; and why some cannot stay pinned."""
        tried: list[Tried] = []
        notes: list[str] = []
        for name in sources:
            source = self.load().source[name]
            pinned = open_lock(self.real, self.profile).pins(name)
            for variant in source.variants[1:]:
                if variant not in pinned:
                    continue
                try:
                    wanted = [f"{name}={variant}"]
                    tried.append(self._try(self.project, [name], wanted, locked=False))
                except (SourceUnreachable, VerificationError) as error:
                    notes.append(f"{name}: variant {variant} is not pinned any more: {error.cause}")
        return tried, notes

    def attempt_old(self, sources: Sequence[str]) -> tuple[Tried | None, list[str]]:
        """The results for the sources that are pinned now, if they are still available."""
        unpinned = self._unpinned(sources)
        if unpinned:
            files = f"{' and '.join(unpinned)}, which profile.toml names"
            return None, [f"{_NOT_COMPARED}: sources.lock has no pin for {files}"]
        try:
            return self._try(self.real, sources, [], locked=True), []
        except (SourceUnreachable, VerificationError) as error:
            return None, [f"{_NOT_COMPARED}: {error.what}"]

    def _unpinned(self, sources: Sequence[str]) -> list[str]:
        """The files of which the checkout knows no digest, among those that are compared."""
        lock = open_lock(self.real, self.profile)
        parts = _parts(choose(self.real, Request(self.profile, behind=True)), sources)
        found = [one.file for _, one in parts if not known(one, valid_pins(one, lock))]
        return list(dict.fromkeys(found))

    def pins(self, name: str) -> dict[str, Pin]:
        """The pins of a new source; a file supplied by hand counts as the preferred variant."""
        found = dict(open_lock(self.project, self.profile).pins(name))
        brought = found.pop(DROPIN, None)
        if brought is not None:
            found.setdefault(self.load().source[name].preferred, brought)
        return found

    def _try(
        self, project: Project, sources: Sequence[str], variants: Sequence[str], *, locked: bool
    ) -> Tried:
        request = Request(self.profile, locked=locked, variants=tuple(variants), behind=True)
        with open_session(request, Place(project, self.cache, self.console)) as session:
            parts = _parts(session.setting.build, sources)
            session.settle(*(StageKind.FETCH.of(name) for name in sources))
            found = inspection.find_all(session, [part.name for part, _ in parts])
            stages = {part.name: pristine_stage(part, source) for part, source in parts}
            done = session.settle(*stages.values())
            trees = {
                part.name: done[stages[part.name]].path / TREE
                for part, source in parts
                if source.name in sources
            }
            return Tried(found, trees)


def _parts(build: Build, sources: Sequence[str]) -> list[tuple[BuildPart, Source]]:
    """The components of the sources, and those whose headers must agree with theirs."""
    parts = [(part, part.source) for part in build.parts.values() if part.source is not None]
    own = {
        part.name
        for part, source in parts
        if source.name in sources or any(patch.source in sources for patch in part.patches)
    }
    for check in build.layout:
        copies = {copy.component for copy in check.copies}
        own |= copies if copies & own else set()
    return [(part, source) for part, source in parts if part.name in own]


def set_up(
    folder: Path, real: Project, profile: str, cache: Cache, console: Console
) -> UpdateTrial:
    """A trial in ``folder``; all but ``specs/`` of the checkout is there by links."""
    project = Project(folder)
    folder.mkdir(parents=True)
    for entry in real.root.iterdir():
        if entry.name not in _APART:
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(real.specs, project.specs, symlinks=True)
    return UpdateTrial(project, real, profile, cache, console)


def edited(trial: UpdateTrial, edit: Callable[[Profile, str], str]) -> None:
    """Apply ``edit`` to the trial's profile.toml."""
    text = trial.file.read_bytes().decode()
    trial.file.write_bytes(edit(trial.load(), text).encode())
