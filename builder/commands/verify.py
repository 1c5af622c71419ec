"""Verify everything in the cache and the artifacts, and report what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from builder.console import Progress, put
from builder.digest import Digest, of_file
from builder.errors import VerificationError
from builder.host import ownership
from builder.host.listing import Memory
from builder.host.ownership import State
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.pipeline import run as runs
from builder.pipeline.ledger import Ledger
from builder.pipeline.store import Store
from builder.place import Place
from builder.profile import load
from builder.report import publish
from builder.source import store as blobs
from builder.source.known import require_sizes
from builder.source.pins import open_lock
from builder.stages.session import ledger_path


@dataclass(frozen=True)
class Inspected:
    """One verified file or folder; ``fault`` is empty if it is as it was made.

    ``fix``: moves it out of the way or removes it, and returns what was done.
    """

    place: Path
    fault: str
    fix: Callable[[], str]


@dataclass
class _Choice:
    """What to verify: everything, or what one profile's builds use."""

    profile: str | None
    project: Project
    cache: Cache

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles to verify.  Raises UsageError for an unknown one."""
        if self.profile is not None:
            return (load.load(self.project.specs, self.profile).name,)
        return load.available(self.project.specs)

    def blobs(self) -> list[Path]:
        folder = self.cache.blobs
        if self.profile is not None:
            return [
                folder / name
                for name in sorted(self._digests(self.profile))
                if (folder / name).exists()
            ]
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def outputs(self) -> list[Path]:
        """The folders of finished stages."""
        if self.profile is not None:
            return [place for place in sorted(self._places(self.profile)) if place.is_dir()]
        found = self.cache.stages.glob("[!.]*/[!.]*")
        return sorted(path for path in found if path.is_dir())

    def _digests(self, profile: str) -> set[Digest]:
        """The digests that the profile or its ``sources.lock`` names."""
        lock = open_lock(self.project, profile)
        known: set[Digest | None] = set()
        for source in load.load(self.project.specs, profile).source.values():
            known |= {source.sha256, *(location.sha256 for location in source.locations)}
            known |= {pin.sha256 for pin in lock.pins(source.name).values()}
        return {digest for digest in known if digest is not None}

    def _places(self, profile: str) -> Iterator[Path]:
        """The output folders of the last builds of each flavour in each base."""
        store = Store(self.cache)
        flavours = load.load(self.project.specs, profile).flavour
        bases = [path.name for path in self.project.bases.iterdir() if path.is_dir()]
        for flavour in flavours:
            for base in bases:
                ledger = Ledger(ledger_path(self.cache, profile, flavour, base))
                for stage, key in ledger.keys().items():
                    yield store.place(stage, key)


@dataclass
class _Verification:
    choice: _Choice
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)
    memory: Memory = field(default_factory=dict)  # trees share most of their files

    def run(self) -> Iterator[Inspected]:
        """Everything with a fault; the counts are complete when it ends."""
        choice = self.choice
        for kind, findings in (
            ("cached sources", map(self._blob, choice.blobs())),
            ("finished stages", map(self._output, choice.outputs())),
            ("published files", self._published()),
        ):
            self.counts[kind] = 0
            for finding in findings:
                if finding is None:
                    continue
                self.progress.advance()
                self.counts[kind] += 1
                if finding.fault:
                    yield finding

    def _blob(self, path: Path) -> Inspected | None:
        cache = self.choice.cache
        try:
            name, found = Digest(path.name), of_file(path)
        except ValueError as error:
            return Inspected(path, str(error), lambda: _put_aside(cache, path))
        except FileNotFoundError:
            return None  # a run has put it aside meanwhile
        except OSError as error:
            return Inspected(path, str(error.strerror), lambda: _put_aside(cache, path))
        fault = "" if name == found else f"its sha256 is {found}"
        return Inspected(
            path, fault, lambda: f"kept as {blobs.set_aside(cache, path, found, 'damaged')}"
        )

    def _output(self, place: Path) -> Inspected | None:
        cache = self.choice.cache
        store = Store(cache)
        done = store.at(place)
        if done is None:
            if not place.exists():
                return None
            fault = "it has no manifest with digests (an earlier version's, or it has changed)"
            return Inspected(place, fault, lambda: _remove(cache, place))
        fault = store.fault(done, memory=self.memory)
        if fault and store.at(place) != done:
            return None  # a run has replaced it meanwhile
        return Inspected(place, fault, lambda: f"kept as {store.set_aside(done)}")

    def _published(self) -> Iterator[Inspected | None]:
        for profile in self.choice.profiles:
            target = self.choice.project.artifacts(profile)
            try:
                for path, fault in publish.faults_of(target):
                    yield Inspected(target / path, fault, _withdrawal(target, path))
            except VerificationError as error:
                yield Inspected(target / publish.RECORD, error.cause, _removal(target))


def _put_aside(cache: Cache, path: Path) -> str:
    cache.aside.mkdir(parents=True, exist_ok=True)
    kept = cache.aside / f"unknown-{path.parent.name}-{path.name}"[:255]
    remove(kept, cache.aside)
    path.rename(kept)
    return f"kept as {kept}"


def _remove(cache: Cache, place: Path) -> str:
    remove(place, cache.stages)
    return "removed"


def _withdrawal(target: Path, name: str) -> Callable[[], str]:
    folder = publish.folder_of(name)

    def fix() -> str:
        publish.withdraw(target, folder)
        again = "lab" if folder.startswith(publish.LAB) else "build"
        return f"{folder}/ was removed, the next {again} publishes it again"

    return fix


def _removal(target: Path) -> Callable[[], str]:
    def fix() -> str:
        (target / publish.RECORD).unlink(missing_ok=True)
        return "removed, the next build writes it anew"

    return fix


def verify(profile: str | None, place: Place, *, fix: bool) -> str:
    """Verify what one profile's builds use, or everything if ``profile`` is None.

    Prints a line for each fault, and returns the summary.  ``fix``: put the bad ones aside, and
    wait for builds that are under way; otherwise change nothing and wait for nobody.  Raises
    VerificationError if something is bad and was not put aside, UsageError if a pinned size does
    not match the pinned bytes, UsageError or EnvironmentFailure if the cache is not the caller's
    own.
    """
    project, cache, console = place.project, place.cache, place.console
    choice = _Choice(profile, project, cache)
    profiles = choice.profiles  # refuses an unknown one
    bad = 0
    with ExitStack() as stack:
        if not fix and ownership.examine(cache) is State.NEW:
            console.say(f"there is no cache yet at {cache.root}")
        keep = ownership.use if fix else ownership.read
        stack.enter_context(keep(cache, console))
        for name in profiles:
            require_sizes(open_lock(project, name), cache)
        # Nothing that a running build uses may be removed.
        names = [runs.lock_names(name)[0] for name in profiles] if fix else []
        stack.enter_context(runs.alone(cache, project, names, console))
        progress = stack.enter_context(console.progress("verify", None, "things"))
        reading = _Verification(choice, progress)
        for finding in list(reading.run()):  # all is read before anything is removed
            bad += 1
            became = f"; {finding.fix()}" if fix else ""
            put(f"bad: {finding.place}: {finding.fault}{became}")
    counts = ", ".join(f"{count} {kind}" for kind, count in reading.counts.items())
    if bad and not fix:
        command = f"invoke verify --fix --profile {profile}" if profile else "invoke verify --fix"
        raise VerificationError(
            f"{bad} of what was read is not as it was made",
            f"read: {counts}; what is bad is named above",
            f"put it aside with: {command}\nThe next build makes it anew.",
        )
    return f"read: {counts}; {f'{bad} were bad and are out of the way' if bad else 'all are good'}"
