"""The findings about this host, and the requested fixes."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from builder import shipped
from builder.configuration import load as configuration
from builder.doctor import examination
from builder.doctor.finding import Finding
from builder.errors import EnvironmentFailure
from builder.host import tools
from builder.host.paths import Cache
from builder.host.tools import Need, Tool
from builder.invocation import pasted
from builder.place import Place
from builder.profile.build import Build
from builder.source.probe import probe
from builder.stages import accelerator
from builder.vm import sandbox


def find(build: Build, place: Place, *, fix: bool) -> tuple[Finding, ...]:
    """Examine the host for a build; with ``fix`` again after the fixes that were agreed to."""
    scope = _scope(build, place)
    findings = examination.examine(scope)
    if fix and examination.fix(findings, _agree, place.console):
        findings = examination.examine(scope)
    return tuple(
        msgspec.structs.replace(one, fix=pasted(one.fix, shipped.folder())) for one in findings
    )


def _scope(build: Build, place: Place) -> examination.Scope:
    project, cache, settings = place.project, place.cache, build.base.settings
    return examination.Scope(
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
        tools=(*tools.for_base(settings.method, root=os.getuid() == 0), *_for_store()),
        dated=(project.specs / build.profile / "sources.lock",),
    )


def _for_store() -> tuple[Tool, ...]:
    """The tools that the store of the user's configuration needs; none if it names none."""
    return tools.of(Need.STORE) if configuration.load().stages is not None else ()


def _agree(question: str) -> bool:
    """Ask on a terminal; elsewhere ``--fix`` itself is the answer."""
    if not sys.stdin.isatty():
        return True
    return input(f"{question} [y/N] ").strip().lower().startswith("y")


def _boot_on_kvm(cache: Cache) -> str:
    """The result of a guest on KVM since this host's boot; tries one if there was none.

    Raises EnvironmentFailure if no guest boots.
    """
    from builder.vm.accelerator import decide  # noqa: PLC0415 - slow to import

    with tempfile.TemporaryDirectory() as scratch:
        found = accelerator.known(cache) or decide(Path(scratch))
    if found.kind != "kvm":
        raise EnvironmentFailure("no guest comes up on KVM", found.why)
    return found.why
