"""Says what a request would run, and why."""

from __future__ import annotations

from builder.commands.session import Request, open_session
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.explain import explain


def explain_request(
    request: Request,
    goals: tuple[str, ...],
    *,
    project: Project,
    cache: Cache,
    console: Console,
) -> list[str]:
    """``explain`` for what a request means."""
    with open_session(request, project=project, cache=cache, console=console) as session:
        return explain(session.stages, goals, session.store, session.ledger)
