"""``--dry-run``: say what a run would do."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from builder.host import ownership
from builder.pipeline.estimate import longest
from builder.pipeline.explain import Outlook, outlooks
from builder.place import Place
from builder.profile.build import Build
from builder.spans import about
from builder.stages.request import Request
from builder.stages.session import open_session


def foresee(
    request: Request,
    goals: Callable[[Build], tuple[str, ...]],
    place: Place,
    *,
    forced: tuple[str, ...] = (),
) -> list[str]:
    """Which stages would run, why, and about how long; does not wait for other runs.

    ``forced``: these would run even if nothing has changed.
    """
    with open_session(replace(request, update=False), place, reading=True) as session:
        wanted = goals(session.setting.build)
        outdated = ownership.is_outdated(place.cache)
        found = outlooks(
            *(session.stages, wanted, session.store, session.ledger),
            outdated=outdated, forced=forced, elsewhere=session.schedule.elsewhere,
        )  # fmt: skip
        lines = [line for one in found if one.expected for line in _with_time(one)]
        return [*lines, _sum(found)]


def _with_time(one: Outlook) -> list[str]:
    """The outlook's lines, with the expected time if the stage would run."""
    if one.expected is None:
        return list(one.lines)
    guess = about(one.expected.seconds) + ("" if one.expected.known else ", estimated")
    first, *more = one.lines
    return [first.replace("would run", f"would run ({guess})", 1), *more]


def _sum(found: list[Outlook]) -> str:
    expected = {one.stage.name: one.expected for one in found if one.expected is not None}
    if not expected:
        return f"nothing has changed: none of {len(found)} stages would run"
    seconds = longest(
        (one.stage for one in found), {name: one.seconds for name, one in expected.items()}
    )
    unseen = sum(not one.known for one in expected.values())
    known = (
        f"{unseen} of them never ran in this cache, so that this is a guess"
        if unseen
        else "as long as the last times in this cache"
    )
    return f"{len(expected)} of {len(found)} stages would run: {about(seconds)} ({known})"
