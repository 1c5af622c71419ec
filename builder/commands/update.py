"""Moves a profile's sources to newer point releases: everything fits, or nothing is moved."""

from __future__ import annotations

import datetime
import shlex
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from builder import names
from builder.console import Console, put
from builder.errors import PatchError, UsageError
from builder.host import ci, ownership
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.invocation import pasted
from builder.patch.report import Report
from builder.pipeline import run as runs
from builder.profile import load
from builder.profile.model import Profile
from builder.source import open_lock
from builder.update import edit, move, offer, review, trial
from builder.update.commit import Commit, finish
from builder.update.offer import Offer
from builder.update.search import Search
from builder.update.trial import Trial, Tried


@dataclass(frozen=True)
class Place:
    """Where an update works; ``folder``: this run's own, on the cache's disk."""

    profile: str
    project: Project
    cache: Cache
    console: Console
    folder: Path

    @property
    def file(self) -> Path:
        return self.project.specs / self.profile / load.FILE_NAME


def update(
    profile: str,
    source: str,
    *,
    check: bool,
    project: Project,
    cache: Cache,
    console: Console,
) -> None:
    """Move ``source`` of a profile, or all its sources, and print a summary for review.

    ``check``: only print what is available; anything else is refused in CI.  Raises PatchError,
    with all rejects printed before, if a series does not apply; VerificationError,
    SourceUnreachable.  The checkout is then as it was.
    """
    if not check:
        words = ("invoke update", source, f"--profile {profile}")
        ci.require_editable("invoke update", " ".join(filter(None, words)))
    loaded = load.load(project.specs, profile)
    if source:
        rule = "update takes a table [source.NAME] of profile.toml"
        names.choose("source", source, loaded.source, rule, of=f"profile {profile}")
    with _place(profile, project, cache, console) as place:
        if not check:
            with runs.profile_alone(cache, project, profile, console):
                finish(open_lock(project, profile), loaded.source)
        offers = _look(place, loaded, source)
        if offers and not check:
            _move(place, offers)


@contextmanager
def _place(profile: str, project: Project, cache: Cache, console: Console) -> Iterator[Place]:
    run = f"update-{runs.new_name()}"
    with ownership.use(cache, console), runs.owned(cache, profile, run, console) as folder:
        folder.mkdir(parents=True)
        try:
            yield Place(profile, project, cache, console, folder)
        finally:
            remove(folder, cache.scratch)


def _look(place: Place, profile: Profile, wanted: str) -> dict[str, Offer]:
    """Print what is available, and return the releases to move to by source."""
    lock = open_lock(place.project, place.profile)
    pinned = frozenset(pin.sha256 for name in lock.names() for pin in lock.pins(name).values())
    folder = place.folder / "lists"
    search = Search(place.cache, place.console, folder, threading.Event(), pinned)
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
        pin = lock.pins(name).get(source.preferred)
        revision = (pin.version if pin and pin.file == source.file else None) or ""
        found = search.find(source)
        best = offer.newest(found.offers, current, revision)
        for line in offer.told(name, current, revision, best, found):
            put(line)
        if best is not None:
            offers[name] = best
    return offers


def _move(place: Place, offers: Mapping[str, Offer]) -> None:
    before = place.file.read_bytes()
    tried = trial.set_up(
        place.folder / "project", place.project, place.profile, place.cache, place.console
    )
    versions = {name: offer.version_of(tried.load(), tried.load().source[name]) for name in offers}
    for name, one in offers.items():
        trial.edited(tried, partial(_edit, place, name, one))
    new = tried.attempt(tuple(offers))
    same = [name for name in offers if _is_same(place, tried, name)]
    if same:
        _leave_out(place, offers, same)
        return
    others, notes = tried.attempt_others(tuple(offers))
    old, more = tried.attempt_old(tuple(offers))
    for name, one in offers.items():
        put(f"{name}: {versions[name]} -> {one}")
        for variant, pin in tried.pins(name).items():
            put(f"  {variant}: sha256 {pin.sha256} ({pin.size} bytes) from {pin.url}")
    for line in _reviewed(place, tried, old, new):
        put(line)
    for note in (*notes, *more):
        put(f"note: {note}")
    for attempt in (new, *others):
        _require(place, attempt)
    _commit(place, before, tried, tuple(offers))


def _leave_out(place: Place, offers: Mapping[str, Offer], same: list[str]) -> None:
    """Move the others alone."""
    for name in same:
        put(f"{name}: {offers[name]} has the pinned content: nothing to move")
    remove(place.folder / "project", place.folder)
    rest = {name: one for name, one in offers.items() if name not in same}
    if rest:
        _move(place, rest)


def _commit(place: Place, before: bytes, tried: Trial, sources: tuple[str, ...]) -> None:
    lock = open_lock(place.project, place.profile)
    pins = {name: tried.pins(name) for name in sources}
    with runs.profile_alone(place.cache, place.project, place.profile, place.console):
        Commit(place.file, before, tried.file.read_bytes(), lock, pins).run()
    folder = shlex.quote(str(place.file.parent))
    put(f"moved: review it (git -C {folder} diff .), then build and prove it:")
    for task in ("build", "lab"):
        put(pasted(f"invoke {task} --profile {place.profile}", place.project.root))


def _edit(place: Place, name: str, one: Offer, profile: Profile, text: str) -> str:
    source = profile.source[name]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    current = offer.version_of(profile, source)
    return edit.edit(place.file, text, move.changes(profile, source, current, one, today))


def _is_same(place: Place, tried: Trial, name: str) -> bool:
    """Whether a source's new revision has the bytes that are pinned now under the same name."""
    old = open_lock(place.project, place.profile).pins(name)
    pairs = [(old.get(variant), pin) for variant, pin in tried.pins(name).items()]
    return bool(pairs) and all(
        was is not None and was.sha256 == pin.sha256 and was.file == pin.file for was, pin in pairs
    )


def _reviewed(place: Place, tried: Trial, old: Tried | None, new: Tried) -> Iterator[str]:
    for line in review.lines_changed(place.file.read_bytes(), tried.file.read_bytes()):
        yield f"  {line}"
    configured = review.fragments(place.project.specs / place.profile)
    for component, tree in new.trees.items():
        yield f"{component}:"
        before = old.findings.components.get(component) if old else None
        found = [*review.hunks(before, new.findings.components[component])]
        was = old.trees.get(component) if old else None
        found += review.symbols(was, tree, configured) if was else []
        yield from (f"  {line}" for line in found)


def _require(place: Place, tried: Tried) -> None:
    """Raise unless everything fits, with every reject printed before."""
    failed = {name: one for name, one in tried.findings.components.items() if one.failed}
    for name, one in failed.items():
        put(f"{name}:")
        for line in Report(one.patches).lines():
            put(f"  {line}")
    try:
        tried.findings.require()
    except PatchError as error:
        raise PatchError(
            error.what,
            error.cause,
            f"rework the rejected hunks, which are printed above; specs/{place.profile} is as "
            "before\nthen run the same command again",
        ) from error
