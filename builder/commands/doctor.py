"""Examines this host for what a profile needs."""

from __future__ import annotations

import os
import sys

from builder.base import find, load_base
from builder.console import Console, put, put_json
from builder.doctor import examination, finding
from builder.host import tools
from builder.host.paths import Cache, Project
from builder.profile import load
from builder.shown import shown
from builder.source.probe import probe


def _agree(question: str) -> bool:
    """Ask on a terminal; where nobody can answer, asking for ``--fix`` was the answer."""
    if not sys.stdin.isatty():
        return True
    return input(f"{question} [y/N] ").strip().lower().startswith("y")


def examine(
    profile: str,
    *,
    fix: bool,
    json: bool,
    project: Project,
    cache: Cache,
    console: Console,
) -> int:
    """Print the findings; returns 7 if a build cannot work, else 0."""
    chosen = load.load(project.specs, profile)
    base = load_base(project.bases / find(project.bases, chosen.base))
    scope = examination.Scope(
        cache=cache.root,
        artifacts=project.artifacts(chosen.name),
        sources=tuple(
            (source.name, tuple(location.url for location in source.locations))
            for source in chosen.source.values()
        ),
        probe=lambda url: probe(url, project.root),
        vsyscall=base.settings.vsyscall,
        tools=tools.for_base(base.settings.method, root=os.getuid() == 0),
        dated=(project.specs / chosen.name / "sources.lock",),
    )
    findings = examination.examine(scope)
    if fix and examination.fix(findings, _agree, console):
        findings = examination.examine(scope)
    if json:
        put_json(finding.as_json(findings))
    else:
        put(shown("\n".join(finding.lines(findings))))
    return finding.worst(findings)
