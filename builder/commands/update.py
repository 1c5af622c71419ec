"""Move a profile's sources to newer point releases: everything fits, or nothing is moved."""

from __future__ import annotations

import contextlib
import datetime
import shlex
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from builder import names, shipped
from builder.console import put
from builder.errors import BuilderError, PatchError, UsageError
from builder.host import ci, ownership, temporary
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.invocation import pasted
from builder.patch.report import SeriesReport
from builder.pipeline import run as runs
from builder.place import Place
from builder.profile import load
from builder.profile.commit import Commit, finish
from builder.profile.model import Profile
from builder.source.pins import Pins, open_lock
from builder.update import edit, move, offer, review, trial
from builder.update.offer import Offer
from builder.update.search import Search
from builder.update.trial import Tried, UpdateTrial


@dataclass(frozen=True)
class Updating:
    """An update under way; ``folder``: this run's own, on the cache's disk."""

    profile: str
    place: Place
    folder: Path

    @property
    def file(self) -> Path:
        return self.place.project.specs / self.profile / load.FILE_NAME


def update(
    profile: str,
    source: str,
    place: Place,
    *,
    check: bool,
) -> None:
    """Move ``source`` of a profile, or all its sources, and print a summary for review.

    ``check``: only print what is available, and leave a cache of an earlier version alone.
    Anything else is refused in CI.  Raises PatchError if a series does not apply, after all
    rejects are printed; VerificationError, SourceUnreachable.  The checkout is then unchanged.
    """
    if not check:
        words = ("invoke update", source, f"--profile {profile}")
        ci.require_editable("invoke update", " ".join(filter(None, words)))
    project = place.project
    loaded = load.load(project.specs, profile)
    if source:
        rule = "update takes a table [source.NAME] of profile.toml"
        names.choose("source", source, loaded.source, rule, of=f"profile {profile}")
    with ExitStack() as stack:
        if check:
            place = stack.enter_context(_asking(place))
        work = stack.enter_context(_work(profile, place))
        if not check:
            with runs.profile_alone(place.cache, project, profile, place.console):
                finish(open_lock(project, profile), lambda: loaded.source)
        offers = _look(work, loaded, source)
        if offers and not check:
            _move(work, offers)


@contextmanager
def _asking(place: Place) -> Iterator[Place]:
    """Where to keep lists of releases: in the cache, unless the next build takes it over."""
    cache, console = place.cache, place.console
    if not ownership.is_outdated(cache):
        yield place
        return
    with ownership.read(cache, console), temporary.folder("update") as folder:
        console.say(f"{cache.root} is a cache of an earlier version: the next build takes it over")
        yield Place(place.project, Cache(folder / "cache"), console)


@contextmanager
def _work(profile: str, place: Place) -> Iterator[Updating]:
    cache, console = place.cache, place.console
    run = f"update-{runs.new_name()}"
    with ownership.use(cache, console), runs.owned(cache, profile, run, console) as folder:
        folder.mkdir(parents=True)
        try:
            yield Updating(profile, place, folder)
        finally:
            remove(folder, cache.scratch)


def _look(work: Updating, profile: Profile, wanted: str) -> dict[str, Offer]:
    """Print what is available, and return the releases to move to by source."""
    lock = open_lock(work.place.project, work.profile)
    pinned = frozenset(pin.sha256 for name in lock.names() for pin in lock.pins(name).values())
    folder = work.folder / "lists"
    search = Search(work.place.cache, work.place.console, folder, threading.Event(), pinned)
    offers: dict[str, Offer] = {}
    for name, source in profile.source.items():
        if wanted and name != wanted:
            continue
        try:
            current = offer.version_of(profile, source)
        except UsageError as error:
            if wanted:
                raise
            put(f"{name}: {error.cause}")
            continue
        revision = offer.held(source, lock.pins(name).get(source.preferred))
        found = search.find(source)
        best = offer.newest(found.offers, current, revision)
        if best is None and offer.is_behind(source, current):
            best = offer.same(found.offers, current)
        for line in offer.told(name, current, revision, best, found):
            put(line)
        if best is not None:
            offers[name] = best
    return offers


def _move(work: Updating, offers: Mapping[str, Offer]) -> None:
    before = work.file.read_bytes()
    tried = trial.set_up(
        work.folder / "project",
        work.place.project,
        work.profile,
        work.place.cache,
        work.place.console,
    )
    versions = {name: offer.version_of(tried.load(), tried.load().source[name]) for name in offers}
    _edit_all(work, tried, offers)
    new = tried.attempt(tuple(offers))
    same = frozenset(name for name in offers if _is_same(work, tried, name))
    tried.file.write_bytes(before)
    _edit_all(work, tried, offers, same)
    others, notes = tried.attempt_others(tuple(offers))
    old, more = tried.attempt_old(tuple(offers))
    for name, one in offers.items():
        put(f"{name}: {versions[name]} -> {one}")
        for variant, pin in tried.pins(name).items():
            put(f"  {variant}: sha256 {pin.sha256} ({pin.size} bytes) from {pin.url}")
        if name in same:
            put("  it is the pinned content, sources.lock keeps its digest")
    for line in _reviewed(work, tried, old, new):
        put(line)
    for note in (*notes, *more):
        put(f"note: {note}")
    for attempt in (new, *others):
        _require(work, attempt)
    _commit(work, before, tried, tuple(offers))


def _commit(work: Updating, before: bytes, tried: UpdateTrial, sources: tuple[str, ...]) -> None:
    lock = open_lock(work.place.project, work.profile)
    pins = {name: _dated(lock.pins(name), tried.pins(name)) for name in sources}
    with runs.profile_alone(work.place.cache, work.place.project, work.profile, work.place.console):
        _move_files(Commit(work.file, before, tried.file.read_bytes(), lock, pins), work)
    folder = shlex.quote(str(work.file.parent))
    put(f"moved: review it (git -C {folder} diff .), then build and prove it:")
    for task in ("build", "lab"):
        put(pasted(f"invoke {task} --profile {work.profile}", shipped.folder()))


def _move_files(commit: Commit, work: Updating) -> None:
    """Move all files; if a signal or a full disk interrupts this, complete it at once."""
    try:
        commit.run()
    except BaseException:
        with contextlib.suppress(OSError, BuilderError):
            finish(commit.lock, lambda: load.load(work.place.project.specs, work.profile).source)
        raise


def _dated(old: Pins, new: Pins) -> Pins:
    """The new pins; a pin that differs from the old one only in its date keeps the old date."""
    return {
        name: was if (was := old.get(name)) and replace(was, date=pin.date) == pin else pin
        for name, pin in new.items()
    }


def _edit_all(
    work: Updating,
    tried: UpdateTrial,
    offers: Mapping[str, Offer],
    same: Collection[str] = (),
) -> None:
    """Edit the trial's profile; ``same``: the sources that have the pinned content."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    for name, one in offers.items():

        def moved(profile: Profile, text: str, name: str = name, one: Offer = one) -> str:
            source = profile.source[name]
            changes = move.changes(profile, source, one, today, same=name in same)
            return edit.edit(work.file, text, changes)

        trial.edited(tried, moved)


def _is_same(work: Updating, tried: UpdateTrial, name: str) -> bool:
    """Whether a source's new revision has the pinned bytes under the same name."""
    old = open_lock(work.place.project, work.profile).pins(name)
    pairs = [(old.get(variant), pin) for variant, pin in tried.pins(name).items()]
    return bool(pairs) and all(
        was is not None and was.sha256 == pin.sha256 and was.file == pin.file for was, pin in pairs
    )


def _reviewed(work: Updating, tried: UpdateTrial, old: Tried | None, new: Tried) -> Iterator[str]:
    for line in review.lines_changed(work.file.read_bytes(), tried.file.read_bytes()):
        yield f"  {line}"
    configured = review.fragments(work.place.project.specs / work.profile)
    for component, tree in new.trees.items():
        yield f"{component}:"
        before = old.findings.components.get(component) if old else None
        found = [*review.hunks(before, new.findings.components[component])]
        was = old.trees.get(component) if old else None
        found += review.symbols(was, tree, configured) if was else []
        yield from (f"  {line}" for line in found)


def _require(work: Updating, tried: Tried) -> None:
    """Raise unless everything fits, after printing every reject."""
    failed = {name: one for name, one in tried.findings.components.items() if one.failed}
    for name, one in failed.items():
        put(f"{name}:")
        for line in SeriesReport(one.patches).lines():
            put(f"  {line}")
    try:
        tried.findings.require()
    except PatchError as error:
        raise PatchError(
            error.what,
            error.cause,
            f"rework the rejected hunks, which are printed above; specs/{work.profile} is as "
            "before\nthen run the same command again",
        ) from error
