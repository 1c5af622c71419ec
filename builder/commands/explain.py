"""Say what a request would run, and why."""

from __future__ import annotations

from builder.commands.goals import Goals
from builder.host import ownership
from builder.pipeline.explain import explain
from builder.pipeline.schedule import with_needs
from builder.place import Place
from builder.stages.request import Request
from builder.stages.session import open_session


def explain_request(request: Request, goals: Goals, place: Place) -> list[str]:
    """``explain`` for a request; does not wait for a run that is under way.

    A base's lock is not an input of its images: the last line says how they compare.
    """
    with open_session(request, place, reading=True) as session:
        wanted = goals(session.setting.build)
        outdated = ownership.is_outdated(place.cache)
        lines = explain(
            *(session.stages, wanted, session.store, session.ledger),
            outdated=outdated, elsewhere=session.schedule.elsewhere,
        )  # fmt: skip
        return [*lines, *session.base.look(with_needs(session.stages, wanted), session.store)]
