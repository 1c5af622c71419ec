"""Publish a run's results, however it ends: outputs, logs, ``build.json``, the report."""

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
from builder.host.paths import Project
from builder.lab.scenario import shipped
from builder.pipeline.stage import Done
from builder.pipeline.stagename import REPO, SMOKE, VM, StageKind
from builder.profile.build import Build
from builder.report import failure, history, logs, publish
from builder.report import origin as origins
from builder.report.filenames import CI, MATRIX, PAGE, SUMMARY
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
# How much is copied after an interrupt: it takes some tenths of a second at most.
HASTY_BYTES = 128 << 20
_LATER = "interrupted before it was copied; the next build publishes it"
_BUG = "this is a bug in the builder; please report it with the traceback"


def publications(build: Build) -> tuple[Publication, ...]:
    """All that a run may publish: RPMs in their repository, or alone if there is none."""
    alone = (
        Publication(StageKind.BUILD.of(name), f"{COMPONENTS}/{name}", until="repo")
        for name in build.parts
    )
    return (*alone, *PUBLICATIONS, *(_labs() if build.lab is not None else ()))


def _labs() -> Iterator[Publication]:
    """A verdict with its recording, or the files of an experiment without a verdict."""
    for name in shipped.available():
        folder, verdict = f"{LAB}/{name}", StageKind.LAB.of(name)
        yield Publication(StageKind.RECORD.of(name), folder, until=verdict, evidence=True)
        yield Publication(verdict, folder)


def place(session: Session) -> Path:
    """Where a run's results are published."""
    return session.setting.project.artifacts(session.setting.build.profile)


def begin(session: Session) -> None:
    """From the first stage on, make ``build.json`` and the report this run's, even after a kill."""
    setting = session.setting
    made = publish.begin(
        place(session),
        publications(setting.build),
        profile=setting.build.profile,
        flavour=setting.build.flavour,
        base=setting.build.base.name,
        origin=origins.now(setting.project.root),
    )
    _write_report(place(session), made)


def publish_done(session: Session, done: dict[str, Done]) -> dict[str, Done]:
    """Publish the settled stages; returns them, with those that had to be made again for that."""
    setting, target = session.setting, place(session)
    wanted = publications(setting.build)
    stale = publish.stale(target, wanted, done)
    for fault in filter(None, stale.values()):
        setting.console.say(f"{_shown(session, target)}: {fault}; it is published again")
    if stale:  # reads them, and makes those anew whose files changed meanwhile
        done = session.settle(*done, read=tuple(stale))
    _publish(session, done, tuple(stale), publish.PASSED)
    return done


def publish_so_far(session: Session, ending: Ending) -> None:
    """Publish the stages settled so far, in the middle of a run or at its end."""
    done, target = session.schedule.done, place(session)
    stale = publish.stale(target, publications(session.setting.build), done)
    _publish(session, done, tuple(stale), ending)


def publish_beside(session: Session, folder: str, origin: Path, error: BuilderError | None) -> None:
    """Publish the settled stages and, as ``folder``, files that no stage has made.

    ``error``: why that failed; its log is then the published one.
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
    """If the block raises, publish the finished stages, and why the others are not finished."""
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
        f"what was finished, the logs and {PAGE} are in {_shown(session, target)}/",
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
        _write_all(target, made, setting.project)
    if ending.outcome in ("passed", "failed"):
        announcing.tell(setting.console, target, made)
    return made


def _write_report(target: Path, made: BuildRecord) -> None:
    from builder.report import html  # noqa: PLC0415 - slow to load, and often nothing has changed

    html.write(target, made)


def _write_all(target: Path, made: BuildRecord, project: Project) -> None:
    """The report, what CI services read, and the table of the lab's verdicts."""
    from builder.report import machine, matrix  # noqa: PLC0415 - as above

    _write_report(target, made)
    machine.write(target, made)
    if made.lab:
        matrix.write(project)


def _is_told(target: Path, made: BuildRecord) -> bool:
    """Whether all files of a record exist: writing them again takes time."""
    files = [target / PAGE, target / CI / SUMMARY]
    files += [target.parent / MATRIX] if made.lab else []
    return all(path.is_file() for path in files)


def _has_worked(session: Session) -> bool:
    """Whether a stage of this run was begun."""
    schedule = session.schedule
    ran = any(not one.hit for one in schedule.done.values())
    return ran or any(schedule.unfinished().values())


def _origin(session: Session, ending: Ending, known: BuildRecord | None) -> RunOrigin:
    """The origin of this run, if it did anything; else that of the record ``known``."""
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
    """The last builds that passed; this build is added if it passed."""
    build = session.setting.build
    path = builds_path(session.setting.cache, build.profile, build.flavour, build.base.name)
    goals = [done[name] for name in (REPO, VM) if name in done]
    if ending.outcome != "passed" or all(one.hit for one in goals):
        return history.read(path)
    chosen = publish.current(publications(build), done)
    outputs = publish.outputs_of(chosen, done)
    here = {name: one for name, one in done.items() if not one.hit and not one.manifest.provenance}
    ran = {name: round(one.manifest.seconds, 1) for name, one in here.items()}
    return history.remember(path, BuildSummary(origin, history.products(outputs), ran))


def _images(session: Session, done: dict[str, Done], ending: Ending) -> tuple[ImageRecord, ...]:
    """The images that it was built in; after a failure, none if they cannot be read."""
    spared = contextlib.suppress(BuilderError) if ending.failure else contextlib.nullcontext()
    with spared:
        return session.base.records(done.values())
    return ()


def _unfinished(session: Session) -> tuple[Unfinished, ...]:
    now, schedule = time.time(), session.schedule

    def state(name: str, begun: float | None) -> State:
        return "failed" if name in schedule.failed else "stopped" if begun else "not begun"

    return tuple(
        Unfinished(
            name,
            state(name, begun),
            round(now - begun, 1) if begun else 0.0,
            begun or 0.0,
            tuple(session.stages[name].needs),
        )
        for name, begun in schedule.unfinished().items()
    )


def _evidence(session: Session) -> dict[str, Path]:
    """By folder: outputs of failed stages that explain the failure."""
    return {
        one.folder: session.schedule.output(one.stage)
        for one in publications(session.setting.build)
        if one.evidence and one.stage in session.schedule.failed
        if any(session.schedule.output(one.stage).glob("*"))
    }


def _settled(session: Session) -> dict[str, Path]:
    """By folder: outputs of finished stages, which may explain it, too."""
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
    """Where the error's log is below ``artifacts/<profile>/``; empty if it has none."""
    if error.log is None or not error.log.is_file():
        return ""
    for folder, origin in evidence.items():
        if error.log.is_relative_to(origin):
            return f"{folder}/{error.log.relative_to(origin)}"
    return logs.place(error.log, found)


def _withheld(session: Session, stale: dict[str, str], *, hasty: bool) -> dict[str, str]:
    """By folder: why an output is not copied, because it must not be or it takes too long."""
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
    """Print it if possible: an error here must not hide the failure itself."""
    with contextlib.suppress(OSError, EnvironmentFailure):
        session.setting.console.say(words)
