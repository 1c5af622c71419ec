"""The files that stages make, and where they are in the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind, StageName

if TYPE_CHECKING:
    from builder.profile.build import BuildPart
    from builder.source.model import Source

TREE = "tree"
PATCHES = "patches"
RPMS = "rpms"
SRPMS = "srpms"
TAR = "root.tar"


def source_file(done: Done) -> Path:
    """The one file that a fetch stage put out."""
    return done.path / done.manifest.outputs[0].path


def patches_of(done: Done) -> tuple[Path, ...]:
    """The patches that a prep stage applied."""
    return tuple(sorted((done.path / PATCHES).iterdir()))


def rpms_of(done: Done) -> tuple[Path, ...]:
    """The binary RPMs that a build stage put out."""
    return tuple(sorted((done.path / RPMS).glob("*.rpm")))


def source_rpms_of(done: Done) -> tuple[Path, ...]:
    return tuple(sorted((done.path / SRPMS).glob("*.src.rpm")))


def root_tar(done: Done) -> Path:
    """The tar that an image stage put out."""
    return done.path / TAR


def pristine_stage(part: BuildPart, source: Source) -> StageName:
    """The stage whose output has the component's tree without patches."""
    return StageKind.INNER.of(part.name) if part.inside else StageKind.UNPACK.of(source.name)
