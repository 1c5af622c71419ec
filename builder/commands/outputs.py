"""Publishes what a run has come to, however it ends: outputs, logs, ``build.json``, the report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from builder.commands import announcing
from builder.commands.interruption import interrupted
from builder.errors import BuilderError, EnvironmentFailure, Interrupted
from builder.host import fulldisk, processors
from builder.lab.scenario import shipped
from builder.pipeline.stage import Done
from builder.pipeline.stagename import REPO, SMOKE, VM, StageKind
from builder.profile.build import Build
from builder.report import failure, history, html, logs, machine, matrix, publish
from builder.report import origin as origins
from builder.report.history import BuildSummary
from builder.report.origin import RunOrigin
from builder.report.publish import COMPONENTS, LAB, Ending, Publication
from builder.report.record import BuildRecord, ImageRecord, Outcome, State, Unfinished
from builder.stages.session import Session, builds_path

PUBLICATIONS = (
    Publication(REPO, "repo"),
    Publication(VM, "vm"),
    Publication(SMOKE, "smoke", evidence=True),
)
# What is copied after an interrupt: no more than takes some tenths of a second.
HASTY_BYTES = 128 << 20
_LATER = "interrupted before it was copied; the next build publishes it"
_BUG = "this is a bug in the builder; please report it with the traceback"


def publications(build: Build) -> tuple[Publication, ...]:
    """All that a run may publish: RPMs in their repository, or alone without it."""
    alone = (
        Publication(StageKind.BUILD.of(name), f"{COMPONENTS}/{name}", until="repo")
        for name in build.parts
    )
    return (*alone, *PUBLICATIONS, *(_labs() if build.lab is not None else ()))


def _labs() -> Iterator[Publication]:
    """A verdict with its recording, or what there is of an experiment that came to no verdict."""
    for name in shipped.available():
        folder, verdict = f"{LAB}/{name}", StageKind.LAB.of(name)
        yield Publication(StageKind.RECORD.of(name), folder, until=verdict, evidence=True)
        yield Publication(verdict, folder)


def place(session: Session) -> Path:
    """Where a run's results are published."""
    return session.setting.project.artifacts(session.setting.build.profile)


def begin(session: Session) -> None:
    """From the first stage on ``build.json`` and the report are this run's, even after a kill."""
    setting = session.setting
    made = publish.begin(
        place(session),
        publications(setting.build),
        profile=setting.build.profile,
        flavour=setting.build.flavour,
        base=setting.build.base.name,
        origin=origins.now(setting.project.root),
    )
    html.write(place(session), made)


def publish_done(session: Session, done: dict[str, Done]) -> dict[str, Done]:
    """Publish what was settled; returns it, with what had to be made anew for that."""
    setting, target = session.setting, place(session)
    wanted = publications(setting.build)
    stale = publish.stale(target, wanted, done)
    for fault in filter(None, stale.values()):
        setting.console.say(f"{_shown(session, target)}: {fault}; it is published again")
    if stale:
        done = session.settle(*done, read=tuple(stale))
    _publish(session, done, tuple(stale), publish.PASSED)
    return done


def publish_so_far(session: Session, ending: Ending) -> None:
    """Publish what is settled by now, in the middle of a run or at its end."""
    done, target = session.schedule.done, place(session)
    stale = publish.stale(target, publications(session.setting.build), done)
    _publish(session, done, tuple(stale), ending)


def publish_beside(session: Session, folder: str, origin: Path, error: BuilderError | None) -> None:
    """Publish what is settled and, as ``folder``, what no stage has made.

    ``error``: why it came to nothing; its log is then the published one.
    """
    target, told = place(session), None
    if error is not None:
        log = ""
        if error.log is not None and error.log.is_relative_to(origin):
            log = f"{folder}/{error.log.relative_to(origin)}"
            error.log = target / log
        told = failure.of(error, log=log, profile=session.setting.build.profile)
    outcome: Outcome = "passed" if error is None else "failed"
    publish_so_far(session, Ending(outcome, told, evidence={folder: origin}))


@contextmanager
def published_if_failing(session: Session) -> Iterator[None]:
    """Publish what was finished, and why the rest was not, if the block raises."""
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        told = _told(session, error)
        try:
            _publish_failure(session, told)
        except (OSError, EnvironmentFailure) as lost:
            _say(session, f"what was finished could not be published: {lost}")
        if isinstance(error, BuilderError):
            error.log = told.log
        raise


def _told(session: Session, error: BaseException) -> BuilderError:
    if isinstance(error, KeyboardInterrupt):
        return interrupted()
    if isinstance(error, Exception):
        found = fulldisk.told(error, fulldisk.places(session.setting.cache))
        if isinstance(found, BuilderError):
            return found
    return BuilderError(f"{type(error).__name__}: {error}", "", _BUG)


def _publish_failure(session: Session, error: BuilderError) -> None:
    target, done = place(session), session.schedule.done
    hasty = isinstance(error, Interrupted)
    stale = publish.stale(target, publications(session.setting.build), done)
    evidence = _evidence(session)
    settled = _settled(session)
    found = _logs(session, error, {**evidence, **settled})
    ending = Ending(
        outcome="interrupted" if hasty else "failed",
        failure=failure.of(
            error,
            log=_log(error, found, {**evidence, **settled}),
            profile=session.setting.build.profile,
        ),
        unfinished=_unfinished(session),
        logs=found,
        evidence=evidence,
        withheld=_withheld(session, stale, hasty=hasty),
    )
    made = _publish(session, done, tuple(stale), ending)
    if made.failure is not None and (target / made.failure.log).is_file():
        error.log = target / made.failure.log
    for folder, reason in made.unpublished.items():
        _say(session, f"{_shown(session, target)}/{folder} is not published: {reason}")
    _say(
        session,
        f"what was finished, the logs and {html.PAGE} are in {_shown(session, target)}/",
    )


def _publish(
    session: Session, done: dict[str, Done], renewed: tuple[str, ...], ending: Ending
) -> BuildRecord:
    setting, target = session.setting, place(session)
    known = publish.read(target)
    origin = _origin(session, ending, known)
    made = publish.publish(
        target,
        publications(setting.build),
        done,
        renewed,
        profile=setting.build.profile,
        flavour=setting.build.flavour,
        base=setting.build.base.name,
        ending=ending,
        images=_images(session, done, ending),
        origin=origin,
        builds=_builds(session, done, ending, origin),
    )
    if made != known or not _is_told(target, made):
        html.write(target, made)
        machine.write(target, made)
        if made.lab:
            matrix.write(setting.project)
    if ending.outcome in ("passed", "failed"):
        announcing.tell(setting.console, target, made)
    return made


def _is_told(target: Path, made: BuildRecord) -> bool:
    """Whether all that is written of a record is there: to write it takes its time."""
    files = [target / html.PAGE, target / machine.FOLDER / machine.SUMMARY]
    files += [target.parent / matrix.PAGE] if made.lab else []
    return all(path.is_file() for path in files)


def _has_worked(session: Session) -> bool:
    """Whether a stage of this run was begun."""
    schedule = session.schedule
    ran = any(not one.hit for one in schedule.done.values())
    return ran or any(schedule.unfinished().values())


def _origin(session: Session, ending: Ending, known: BuildRecord | None) -> RunOrigin:
    """Of this run, if anything was done in it; else that of the record ``known``."""
    idle = not _has_worked(session)
    if known is None or known.origin is None or (idle and ending.failure):
        return origins.now(session.setting.project.root)
    if idle:
        return known.origin
    return msgspec.structs.replace(
        known.origin,
        seconds=round(time.time() - known.origin.began, 1),
        busy=processors.count().share_since(session.processors),
    )


def _builds(
    session: Session, done: dict[str, Done], ending: Ending, origin: RunOrigin
) -> tuple[BuildSummary, ...]:
    """The last builds that passed; this one is remembered, if it is one."""
    build = session.setting.build
    path = builds_path(session.setting.cache, build.profile, build.flavour, build.base.name)
    goals = [done[name] for name in (REPO, VM) if name in done]
    if ending.outcome != "passed" or all(one.hit for one in goals):
        return history.read(path)
    chosen = publish.current(publications(build), done)
    outputs = publish.outputs_of(chosen, done)
    ran = {name: round(one.manifest.seconds, 1) for name, one in done.items() if not one.hit}
    return history.remember(path, BuildSummary(origin, history.products(outputs), ran))


def _images(session: Session, done: dict[str, Done], ending: Ending) -> tuple[ImageRecord, ...]:
    """What it was built in; after a failure nothing of what cannot be read."""
    spared = contextlib.suppress(BuilderError) if ending.failure else contextlib.nullcontext()
    with spared:
        return session.base.records(done.values())
    return ()


def _unfinished(session: Session) -> tuple[Unfinished, ...]:
    now, schedule = time.time(), session.schedule

    def state(name: str, begun: float | None) -> State:
        return "failed" if name in schedule.failed else "stopped" if begun else "not begun"

    return tuple(
        Unfinished(name, state(name, begun), round(now - begun, 1) if begun else 0.0)
        for name, begun in schedule.unfinished().items()
    )


def _evidence(session: Session) -> dict[str, Path]:
    """By folder: what a failed stage has put out that says why."""
    return {
        one.folder: session.schedule.output(one.stage)
        for one in publications(session.setting.build)
        if one.evidence and one.stage in session.schedule.failed
        if any(session.schedule.output(one.stage).glob("*"))
    }


def _settled(session: Session) -> dict[str, Path]:
    """By folder: what finished stages have put out, which may say why, too."""
    done = session.schedule.done
    chosen = publish.current(publications(session.setting.build), done)
    return {one.folder: done[one.stage].path for one in chosen}


def _logs(session: Session, error: BuilderError, published: dict[str, Path]) -> dict[str, Path]:
    schedule = session.schedule
    begun = (name for name, since in schedule.unfinished().items() if since)
    found = {logs.file_name(name): schedule.log(name) for name in begun}
    known = [*found.values(), *logs.of_done(schedule.done).values()]
    inside = error.log is not None and any(map(error.log.is_relative_to, published.values()))
    if error.log is not None and error.log not in known and not inside:
        found[error.log.name] = error.log
    return found


def _log(error: BuilderError, found: dict[str, Path], evidence: dict[str, Path]) -> str:
    """Where the error's log lies below ``artifacts/<profile>/``; empty if it has none."""
    if error.log is None or not error.log.is_file():
        return ""
    for folder, origin in evidence.items():
        if error.log.is_relative_to(origin):
            return f"{folder}/{error.log.relative_to(origin)}"
    return logs.place(error.log, found)


def _withheld(session: Session, stale: dict[str, str], *, hasty: bool) -> dict[str, str]:
    """Of what would be copied, by folder: what may not be, or takes too long, and why."""
    found: dict[str, str] = {}
    left = HASTY_BYTES
    for one in publications(session.setting.build):
        if one.stage not in stale:
            continue
        done = session.schedule.done[one.stage]
        size = sum(entry.size for entry in done.manifest.outputs)
        if hasty and (done.hit or size > left):
            found[one.folder] = _LATER
        elif done.hit and (fault := session.store.fault(done)):
            found[one.folder] = f"its output in the cache has changed: {fault}"
        left -= size
    return found


def _shown(session: Session, path: Path) -> Path:
    return path.relative_to(session.setting.project.root)


def _say(session: Session, words: str) -> None:
    """Say it, if anybody listens still: the failure itself is what has to be told."""
    with contextlib.suppress(OSError, EnvironmentFailure):
        session.setting.console.say(words)
