"""Report how every hunk of a profile's patches applies, and what else the patches do."""

from __future__ import annotations

import msgspec

from builder.commands import announcing, outputs
from builder.commands.goals import Goals
from builder.console import put_json, put_lines
from builder.errors import BuilderError
from builder.forensics.findings import ProfileFindings
from builder.host import ci
from builder.pipeline.stagename import StageKind, parse
from builder.place import Place
from builder.report import failure, machine
from builder.stages import inspection
from builder.stages.request import Request, choose
from builder.stages.session import open_session


def report(
    request: Request,
    goals: Goals,
    place: Place,
    *,
    check: bool,
    json: bool,
) -> None:
    """Print the findings on all components named by ``goals`` (``prep:X`` stages).

    ``check``: try the series on the pristine trees and change nothing; otherwise make
    the patched trees.  Raises PatchError for a series that does not apply in full,
    VerificationError for components that disagree on what they pass to each other.
    """
    wanted = goals(choose(place.project, request))  # refuses unknown names before it waits
    names = [parse(goal).subject for goal in wanted]
    with open_session(request, place) as session:
        if not check:
            with outputs.published_if_failing(session):
                session.settle(*(StageKind.PREP.of(name) for name in names))
        found = inspection.find_all(session, names)
    if ci.is_ci():
        target = place.project.artifacts(request.profile)
        findings = machine.write_findings(target, found, place.project.root)
        announcing.annotate(place.console, findings)
    refusal = _refusal(found)
    if json:
        failed = failure.of(refusal, profile=request.profile) if refusal is not None else None
        told = {**msgspec.to_builtins(found), "failure": failed}
        put_json(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        put_lines(found.lines())
    if refusal is not None:
        refusal.answered = json
        raise refusal


def _refusal(found: ProfileFindings) -> BuilderError | None:
    """The error that forbids a build; None if it is allowed."""
    try:
        found.require()
    except BuilderError as error:
        return error
    return None
