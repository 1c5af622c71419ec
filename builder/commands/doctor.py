"""Examines this host for what a profile needs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from builder import shipped
from builder.console import put, put_json
from builder.doctor import examination, finding
from builder.errors import EnvironmentFailure
from builder.host import tools
from builder.host.paths import Cache
from builder.invocation import pasted
from builder.place import Place
from builder.shown import shown
from builder.source.probe import probe
from builder.stages import accelerator
from builder.stages.request import Request, choose
from builder.vm import sandbox


def _agree(question: str) -> bool:
    """Ask on a terminal; where nobody can answer, asking for ``--fix`` was the answer."""
    if not sys.stdin.isatty():
        return True
    return input(f"{question} [y/N] ").strip().lower().startswith("y")


def examine(
    profile: str,
    place: Place,
    *,
    base: str = "",
    fix: bool,
    json: bool,
) -> int:
    """Print the findings; returns 7 if a build cannot work, else 0.

    ``base``: what is built in, if it is not the profile's own.
    """
    project, cache = place.project, place.cache
    build = choose(project, Request(profile, base=base))
    what = f"profile {build.profile} in base {build.base.name}"
    place.console.say(f"checking this host for {what}")
    settings = build.base.settings
    scope = examination.Scope(
        cache=cache.root,
        artifacts=project.artifacts(build.profile),
        sources=tuple(
            (source.name, tuple(location.url for location in source.locations))
            for source in build.sources.values()
        ),
        probe=lambda url: probe(url, project.root, lists=cache.apt),
        kvm_probe=lambda: _boot_on_kvm(cache),
        fence_probe=sandbox.fault,
        base=build.base,
        vsyscall=settings.vsyscall,
        tools=tools.for_base(settings.method, root=os.getuid() == 0),
        dated=(project.specs / build.profile / "sources.lock",),
    )
    findings = examination.examine(scope)
    if fix and examination.fix(findings, _agree, place.console):
        findings = examination.examine(scope)
    findings = tuple(
        msgspec.structs.replace(one, fix=pasted(one.fix, shipped.folder())) for one in findings
    )
    if json:
        put_json(finding.as_json(findings, what))
    else:
        put(shown("\n".join(finding.lines(findings, what))))
    return finding.worst(findings)


def _boot_on_kvm(cache: Cache) -> str:
    """What came of a guest on KVM since this host's boot; tries one if none was.

    Raises EnvironmentFailure if none comes up.
    """
    from builder.vm.accelerator import decide  # noqa: PLC0415 - slow to import

    with tempfile.TemporaryDirectory() as scratch:
        found = accelerator.known(cache) or decide(Path(scratch))
    if found.kind != "kvm":
        raise EnvironmentFailure("no guest comes up on KVM", found.why)
    return found.why
