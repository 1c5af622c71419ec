"""Reports what becomes of every hunk of a profile's patch series."""

from __future__ import annotations

import msgspec

from builder.commands.produce import Goals
from builder.commands.session import Request, open_session
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.patch import apply
from builder.patch.report import Report
from builder.stages import patching
from builder.stages.patching import TREE


def report(
    request: Request,
    goals: Goals,
    *,
    check: bool,
    json: bool,
    project: Project,
    cache: Cache,
    console: Console,
) -> None:
    """Print the reports of all components named by ``goals`` (``prep:X`` stages).

    ``check``: try the series on the pristine trees and change nothing; otherwise make
    the patched trees.  Raises PatchError for a series that does not apply in full.
    """
    with open_session(request, project=project, cache=cache, console=console) as session:
        setting = session.setting
        names = [goal.removeprefix("prep:") for goal in goals(setting.profile)]
        if not check:
            session.settle(*(f"prep:{name}" for name in names))
        reports: dict[str, Report] = {}
        for name in names:
            component = setting.profile.component[name]
            source = f"unpack:{component.source}"
            done = session.settle(source, *patching.needs(setting, component))
            patches = patching.collect(setting, name, component, done)
            reports[name] = apply.check(patches, done[source].path / TREE)
    _print(reports, json=json)
    for made in reports.values():
        made.require()


def _print(reports: dict[str, Report], *, json: bool) -> None:
    if json:
        print(msgspec.json.format(msgspec.json.encode(reports)).decode())
        return
    for name, made in reports.items():
        print(f"{name}:")
        for line in made.lines() or ("no patches",):
            print(f"  {line}")
