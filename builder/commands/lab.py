"""``invoke lab``: try scenarios on a built image, and print the result of each."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.commands import kept, outputs
from builder.commands.foresight import foresee
from builder.console import put_lines
from builder.errors import SmokeError, UsageError
from builder.host import ownership, paths
from builder.lab import catalogue
from builder.lab import verdict as verdicts
from builder.lab.page.html import PAGE
from builder.lab.page.lines import lines
from builder.lab.verdict import Verdict
from builder.pipeline import run as runs
from builder.pipeline.lookup import settled
from builder.pipeline.stage import Done
from builder.pipeline.stagename import SMOKE, VM, StageKind
from builder.place import Place
from builder.profile import load as profiles
from builder.profile.model import Profile
from builder.report import publish, record
from builder.report.publish import LAB, Ending
from builder.stages import lab as stages
from builder.stages import session
from builder.stages.request import Request
from builder.stages.session import Session

UNDER_WAY = Ending(outcome="running")


@dataclass(frozen=True)
class LabRequest:
    """The scenarios to try, and how; no names mean every scenario.

    Without ``flavour`` and ``base``: those of the last build, else the profile's.  ``keep``:
    hosts keep running.  ``load``: not a proof but ratios of what goes through each method.
    ``again``: boot machines even if nothing has changed.  ``hermetic``: refuse a base that is not
    the locked one.  ``dry``: only say what would be tried.
    """

    profile: str
    names: tuple[str, ...] = ()
    keep: bool = False
    load: bool = False
    flavour: str = ""
    base: str = ""
    again: bool = False
    hermetic: bool = False
    dry: bool = False


def shells_folder(place: Place, profile: str) -> Path:
    """The folder of the hosts' shell sockets; raises UsageError for an unknown profile."""
    return paths.shells_folder(place.cache, profiles.find(place.project.specs, profile))


def run(request: LabRequest, place: Place) -> None:
    """Try the scenarios one after the other.

    Raises SmokeError at the end if one of them is not proven, UsageError for a scenario that
    cannot be tried.
    """
    chosen = _chosen(request, place)
    if request.dry:
        put_lines(_foresee(request, chosen, place))
        return
    with ExitStack() as lab, ExitStack() as building:
        lab.enter_context(ownership.use(place.cache, place.console))
        opened = building.enter_context(session.open_session(_session(request, place), place))
        lab.enter_context(
            runs.lab_alone(place.cache, place.project, request.profile, place.console)
        )
        # Only now can nobody remove the image.
        require_image(opened)
        if request.load or (request.keep and not _is_unsupported(opened, chosen[0])):
            done = opened.settle(*_beside(opened), VM, read=(VM,))
            work = runs.owned(place.cache, request.profile, _work_name(), place.console)
            trial = kept.Kept(opened, done, lab.enter_context(work), building.close)
            if request.load:
                trial.under_load()
            else:
                trial.keep(chosen[0])
            return
        _prove(opened, chosen, again=request.again)


def _foresee(request: LabRequest, chosen: tuple[str, ...], place: Place) -> list[str]:
    """Raises UsageError if the image of the session's flavour and base was not built."""
    asked = _session(request, place)
    with session.open_session(asked, place, reading=True) as opened:
        require_image(opened)
    again = tuple(StageKind.RECORD.of(name) for name in chosen) if request.again else ()
    goals = tuple(StageKind.LAB.of(name) for name in chosen)
    return foresee(asked, lambda build: goals, place, forced=again, in_turn=True)


def _work_name() -> str:
    return f"{runs.LAB}{runs.new_name()}"


def _chosen(request: LabRequest, place: Place) -> tuple[str, ...]:
    """The scenarios; raises UsageError, before any waiting, for one that cannot be tried."""
    profile = profiles.load(place.project.specs, request.profile)
    chosen = request.names or catalogue.available()
    for name in chosen:
        catalogue.load(name)
    if profile.lab is None:
        raise stages.no_series(profile.name)
    if request.keep and len(chosen) != 1:
        raise UsageError(
            "only one lab can be kept running",
            f"{len(chosen)} scenarios were asked for",
            "name one: invoke lab --keep --scenario fullnat",
        )
    return chosen


def _session(request: LabRequest, place: Place) -> Request:
    """The request with its flavour and base, or with those of the last build."""
    hermetic = request.hermetic
    asked = Request(request.profile, request.flavour, request.base, hermetic=hermetic)
    if request.flavour or request.base:
        return asked
    profile = profiles.load(place.project.specs, request.profile)
    flavour, base = _last_built(place, profile)
    if (flavour, base) == (profile.default_flavour, profile.base):
        return asked
    place.console.say(f"lab: flavour {flavour} in base {base}, as the last build had it")
    return Request(request.profile, flavour, base, hermetic=hermetic)


def _last_built(place: Place, profile: Profile) -> tuple[str, str]:
    """Flavour and base of the last build if both still exist, else the profile's."""
    try:
        made = record.decode((place.project.artifacts(profile.name) / publish.RECORD).read_bytes())
    except (OSError, msgspec.DecodeError):
        return profile.default_flavour, profile.base
    if made.flavour in profile.flavour and (place.project.bases / made.base).is_dir():
        return made.flavour, made.base
    return profile.default_flavour, profile.base


def require_image(opened: Session) -> None:
    """Raises UsageError if the image of the session's flavour and base was not built."""
    if settled(opened.stages, VM, opened.store) is None:
        raise stages.not_built(opened.setting)


def _is_unsupported(opened: Session, scenario: str) -> bool:
    """Whether the scenario is unsupported, so that there is no machine to keep."""
    series = opened.setting.build.lab
    return series is not None and scenario in series.unsupported


def _beside(opened: Session) -> tuple[str, ...]:
    """Keep an earlier proof of this image on record."""
    return (SMOKE,) if settled(opened.stages, SMOKE, opened.store) is not None else ()


def _prove(opened: Session, chosen: tuple[str, ...], *, again: bool) -> None:
    say = opened.setting.console.say
    with outputs.published_if_failing(opened):
        opened.schedule.begin = lambda: outputs.begin(opened)
        beside = _beside(opened)
        tried: dict[str, Verdict] = {}
        for name in chosen:
            done, verdict = _settle(opened, beside, name, again=again)
            tried[name] = verdict
            outputs.publish_so_far(opened, UNDER_WAY)
            for line in lines(verdict):
                say(line)
            if done.hit:
                say(f"lab {name}: nothing has changed; once more: invoke lab --again")
        _require_proven(opened, tried)
        outputs.publish_so_far(opened, publish.PASSED)


def _settle(
    opened: Session, beside: tuple[str, ...], name: str, *, again: bool
) -> tuple[Done, Verdict]:
    """The scenario's stage and verdict.  A red verdict from the cache is tried again."""
    goal, recording = StageKind.LAB.of(name), StageKind.RECORD.of(name)
    forced = (recording,) if again else ()
    done = opened.settle(*beside, goal, forced=forced)
    verdict = verdicts.load(done[goal].path / verdicts.FILE)
    if verdict.outcome == stages.RED and done[recording].hit:
        opened.setting.console.say(
            f"lab {name}: what was recorded is judged as before ({verdict.complaint}): trying again"
        )
        done = opened.settle(*beside, goal, forced=(recording,))
        verdict = verdicts.load(done[goal].path / verdicts.FILE)
    return done[goal], verdict


def _require_proven(opened: Session, tried: dict[str, Verdict]) -> None:
    bad = {name: one for name, one in tried.items() if one.outcome == stages.RED}
    if not bad:
        return
    first = next(iter(bad))
    page = outputs.place(opened) / LAB / first / PAGE
    raise not_proven(bad, page, opened.schedule.done[StageKind.LAB.of(first)].path / verdicts.FILE)


def not_proven(bad: dict[str, Verdict], page: Path, log: Path) -> SmokeError:
    """The error for scenarios with red verdicts; ``page`` and ``log`` of the first one."""
    return SmokeError(
        f"not proven: {', '.join(bad)}",
        "\n".join(f"{name}: {verdict.complaint}" for name, verdict in bad.items()),
        f"read {page}",
        log=log,
    )
