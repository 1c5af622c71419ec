"""Check that this host has what a profile needs."""

from __future__ import annotations

from builder.console import put, put_json
from builder.place import Place
from builder.stages.request import Request, choose


def examine(
    profile: str,
    place: Place,
    *,
    base: str = "",
    fix: bool,
    json: bool,
) -> int:
    """Print the findings; returns 7 if a build cannot work, else 0.

    ``base``: the base to build in, if it is not the profile's own.
    """
    build = choose(place.project, Request(profile, base=base))
    what = f"profile {build.profile} in base {build.base.name}"
    place.console.say(f"checking this host for {what}")

    from builder.commands import host_findings  # noqa: PLC0415 - the first line is said at once
    from builder.doctor import finding  # noqa: PLC0415
    from builder.shown import shown  # noqa: PLC0415

    findings = host_findings.find(build, place, fix=fix)
    if json:
        put_json(finding.as_json(findings, what))
    else:
        put(shown("\n".join(finding.lines(findings, what))))
    return finding.worst(findings)
