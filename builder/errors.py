"""Everything that can go wrong in a way the user can act on.

Each error has three lines: what failed, the cause in its own words, and what to do
next.  The class decides the exit code (see README.md); a traceback is for
bugs only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class BuilderError(Exception):
    """A failure with a reason and a way out.

    ``what``: one line, what failed.  ``cause``: the failing party's own words (compiler
    error, reject hunk, HTTP status); may have several lines.  ``hint``: what to do next.
    ``log``: the file that has the whole story.  ``stage``: the stage it happened in, set
    by the pipeline, so that ``invoke shell STAGE`` can be named.  ``answered``: the output of
    ``--json`` already has it.
    """

    what: str
    cause: str = ""
    hint: str = ""
    log: Path | None = field(default=None, kw_only=True)
    stage: str | None = field(default=None, kw_only=True)
    answered: bool = field(default=False, kw_only=True)

    exit_code = 1

    def __post_init__(self) -> None:
        super().__init__(self.what, self.cause, self.hint)

    def __str__(self) -> str:
        return f"{self.what}: {self.cause}" if self.cause else self.what


class UsageError(BuilderError):
    """Wrong command line or configuration (profile, series, template)."""

    exit_code = 2


class SourceUnreachable(BuilderError):
    """No location of a source could serve it."""

    exit_code = 3

    def add(self, other: SourceUnreachable) -> None:
        """Add another source that was not available in the same run."""
        stage = f" (stage {other.stage})" if other.stage else ""
        self.cause = f"{self.cause}\n{other.what}{stage}:\n{other.cause}"
        if other.hint and other.hint != self.hint:
            self.hint = f"{self.hint}\n{other.hint}"


class BaseDiffers(BuilderError):
    """The base's packages are not the locked ones: nobody was asked who serves those."""

    exit_code = 3


class VerificationError(BuilderError):
    """Bytes are not the expected ones, or an archive is hostile."""

    exit_code = 4


class PatchError(BuilderError):
    """A patch or a series does not apply in full."""

    exit_code = 5


class BuildError(BuilderError):
    """Compiling, packaging or assembling failed."""

    exit_code = 6


class EnvironmentFailure(BuilderError):
    """This host lacks something: engine, tool, disk, memory, permission."""

    exit_code = 7


class DiskFull(EnvironmentFailure):
    """A file system has no space left."""


class SmokeError(BuilderError):
    """The built director does not do what it must."""

    exit_code = 8


class Interrupted(BuilderError):
    """The user (or a signal) stopped the run."""

    exit_code = 130
