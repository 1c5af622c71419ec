"""All stages of a profile, by name."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from builder.pipeline.ledger import Ledger
from builder.pipeline.stage import Stage
from builder.pipeline.stagename import StageKind, parse
from builder.stages import builds, checks, image, lab, results, sources
from builder.stages.setting import Setting

SHARED = frozenset({StageKind.IMAGE, StageKind.BUILD, StageKind.REPO, StageKind.VM})
"""Kinds whose outputs machines may share: what takes longer to make than to download.

Sources have locations and digests of their own, trees are unpacked as fast as they would be
transferred, and a verdict is about what this machine has booted.
"""


def stages(setting: Setting, ledger: Ledger, *, update: bool = False) -> dict[str, Stage]:
    """The stages that the profile's tables call for.

    ``update``: sources are resolved again.
    """
    return {
        stage.name: replace(stage, shared=parse(stage.name).kind in SHARED)
        for stage in _all(setting, ledger, update)
    }


def _all(setting: Setting, ledger: Ledger, update: bool) -> Iterator[Stage]:
    lock, accepted = sources.sources_lock(setting), sources.acceptances(setting)
    ready = image.ReadyImage(setting)
    for source in setting.build.sources.values():
        yield sources.fetch_stage(
            setting, source, lock, update=update, acceptance=accepted.get(source.name)
        )
        yield sources.unpack_stage(setting, source)
    yield image.image_stage(setting, "build")
    yield image.image_stage(setting, "guest")
    for part in setting.build.parts.values():
        if part.source is not None:
            if part.inside:
                yield sources.inner_stage(setting, part, part.source)
            yield sources.prep_stage(setting, part, part.source)
        yield builds.build_stage(setting, part, ledger, ready)
    if checks.checked(setting.build):
        yield checks.checks_stage(setting)
    yield results.repo_stage(setting, ready)
    yield results.vm_stage(setting, ready)
    yield results.smoke_stage(setting)
    yield from lab.lab_stages(setting, lambda other: stages(other, ledger))
