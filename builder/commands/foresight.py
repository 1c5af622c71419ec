"""``--dry-run``: say what a run would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from builder.host import ownership
from builder.pipeline import estimate
from builder.pipeline.explain import Outlook, outlooks
from builder.pipeline.stage import Stage
from builder.place import Place
from builder.profile.build import Build
from builder.spans import about
from builder.stages.request import Request, choose
from builder.stages.session import open_session


def foresee(
    request: Request,
    goals: Callable[[Build], tuple[str, ...]],
    place: Place,
    *,
    forced: tuple[str, ...] = (),
    in_turn: bool = False,
) -> list[str]:
    """Which stages would run, why, and about how long; does not wait for other runs.

    ``forced``: these would run even if nothing has changed.  ``in_turn``: each goal is begun when
    the one before is settled; otherwise all run side by side.
    """
    build = choose(place.project, request)
    asked = replace(request, update=False)
    with open_session(asked, place, reading=True, build=build) as session:
        wanted = goals(session.setting.build)
        outdated = ownership.is_outdated(place.cache)
        found = outlooks(
            *(session.stages, wanted, session.store, session.ledger),
            outdated=outdated, forced=forced, elsewhere=session.schedule.elsewhere,
        )  # fmt: skip
        lines = [line for one in found if one.expected for line in _with_time(one)]
        turns = wanted if in_turn else ()
        return [*lines, _sum(found, session.stages, turns)]


def _with_time(one: Outlook) -> list[str]:
    """The outlook's lines, with the expected time if the stage would run."""
    if one.expected is None:
        return list(one.lines)
    guess = about(one.expected.seconds) + ("" if one.expected.known else ", estimated")
    first, *more = one.lines
    return [first.replace("would run", f"would run ({guess})", 1), *more]


def _sum(found: list[Outlook], stages: Mapping[str, Stage], turns: tuple[str, ...]) -> str:
    """``turns``: goals that are settled one after the other; none if all run side by side."""
    expected = {one.stage.name: one.expected for one in found if one.expected is not None}
    if not expected:
        return f"nothing has changed: none of {len(found)} stages would run"
    each = {name: one.seconds for name, one in expected.items()}
    seconds = (
        estimate.in_turn(stages, turns, each)
        if turns
        else estimate.longest((one.stage for one in found), each)
    )
    unseen = sum(not one.known for one in expected.values())
    known = (
        f"{unseen} of them never ran in this cache, so that this is a guess"
        if unseen
        else "as long as the last times in this cache"
    )
    return f"{len(expected)} of {len(found)} stages would run: {about(seconds)} ({known})"
