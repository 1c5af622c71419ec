"""Names of stages: a kind and, for most kinds, what the stage is about (``build:kernel``).

Every name is made and parsed here; no other module knows what separates the two parts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

_BETWEEN = ":"
_IN_PATHS = "-"  # no kind has it in its name


class StageKind(StrEnum):
    """What a stage does, in the order in which a build has them."""

    FETCH = "fetch"
    UNPACK = "unpack"
    INNER = "inner"
    PREP = "prep"
    IMAGE = "image"
    CHECKS = "checks"
    BUILD = "build"
    REPO = "repo"
    VM = "vm"
    SMOKE = "smoke"
    RECORD = "record"
    LAB = "lab"

    def of(self, subject: str) -> StageName:
        """The name of this kind's stage for a source, a component, a root or a scenario."""
        return StageName(self, subject)


class StageName(str):
    """A stage's name; the same text as people write it."""

    __slots__ = ()

    def __new__(cls, kind: StageKind, subject: str = "") -> Self:
        return super().__new__(cls, f"{kind}{_BETWEEN}{subject}" if subject else str(kind))

    @property
    def kind(self) -> StageKind:
        return StageKind(self.partition(_BETWEEN)[0])

    @property
    def subject(self) -> str:
        """What it is about; empty if a build has one stage of this kind."""
        return self.partition(_BETWEEN)[2]


CHECKS = StageName(StageKind.CHECKS)
REPO = StageName(StageKind.REPO)
VM = StageName(StageKind.VM)
SMOKE = StageName(StageKind.SMOKE)
BUILD_ROOT = StageKind.IMAGE.of("build")
GUEST_ROOT = StageKind.IMAGE.of("guest")


def parse(text: str) -> StageName:
    """The stage's name in a text.  Raises ValueError if it begins with no kind."""
    kind, _, subject = text.partition(_BETWEEN)
    return StageName(StageKind(kind), subject)


def is_of(stage: str, kind: StageKind) -> bool:
    """Whether a stage is of this kind, whoever named it."""
    return stage.partition(_BETWEEN)[0] == kind


def folder_of(stage: str) -> str:
    """A stage's name as the name of a folder or a log (``build-kernel``)."""
    return stage.replace(_BETWEEN, _IN_PATHS, 1)


def of_folder(folder: str) -> str:
    """The stage whose folder has this name."""
    return folder.replace(_IN_PATHS, _BETWEEN, 1)
