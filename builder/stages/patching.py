"""A component's patches: from other sources, its own, and those of the base it is built in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import VerificationError
from builder.patch import order
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind, StageName
from builder.profile.build import BuildPart
from builder.profile.model import ForeignPatch
from builder.stages.products import TREE
from builder.stages.setting import Setting

if TYPE_CHECKING:
    from builder.patch.series import Patch, Series


def folders(setting: Setting, part: BuildPart) -> tuple[Path, ...]:
    """The folders of this project that hold a component's series, in order."""
    return tuple(setting.patches / folder for folder in part.series)


def names(
    setting: Setting, part: BuildPart, used: Collection[Path] | None = None
) -> tuple[str, ...]:
    """The patches' file names in the order in which they are applied.

    ``used``: those that were applied, after the stage ``prep:X``; a fix for a fault that the source
    does not have is left out.
    """
    own = [patch for folder in folders(setting, part) for patch in order.names(folder)]
    listed = (*(patch.name for patch in part.patches), *own)
    if used is None:
        return listed
    there = {path.name for path in used}
    return tuple(name for name in listed if name in there)


def needs(part: BuildPart) -> tuple[StageName, ...]:
    """The stages that provide the patches of other sources."""
    return tuple(sorted({StageKind.UNPACK.of(patch.source) for patch in part.patches}))


def inputs(setting: Setting, part: BuildPart) -> tuple[Input, ...]:
    """What decides on the patches, apart from the stages of ``needs``."""
    there = [folder for folder in folders(setting, part) if folder.is_dir()]
    listed = Input("patches", " ".join(names(setting, part)))
    return (listed, *digest.files("patch", setting.patches, there))


def collect(setting: Setting, part: BuildPart, done: Mapping[str, Done]) -> Series:
    """All patches of a component in order; ``done`` has the stages of ``needs``.

    Raises VerificationError if a source lacks its patch, UsageError for one of ours that is
    not there, or two of one name.
    """
    from builder.patch import series  # noqa: PLC0415 - only a run reads patches

    brought = [_foreign(setting, patch, done) for patch in part.patches]
    own = [patch for folder in folders(setting, part) for patch in series.load(folder).patches]
    return series.join(setting.patches / part.name, _with_fixes(part, (*brought, *own)))


def _with_fixes(part: BuildPart, patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    fixes = {fix.patch: fix for fix in part.fixes}
    return tuple(replace(patch, fix=fixes.get(patch.name)) for patch in patches)


def _foreign(setting: Setting, patch: ForeignPatch, done: Mapping[str, Done]) -> Patch:
    from builder.patch import series  # noqa: PLC0415 - only a run reads patches

    tree = done[StageKind.UNPACK.of(patch.source)].path / TREE
    if not (tree / patch.file).is_file():
        found = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.patch"))
        raise VerificationError(
            f"source {patch.source} has no {patch.file}",
            f"patches in it: {', '.join(found) or 'none'}",
            "it is a different release than the profile is for; get the one that fits",
        )
    archive = setting.build.sources[patch.source].file
    origin = f"{archive} (source {patch.source})"
    return series.read(tree / patch.file, origin, crlf=patch.crlf)
