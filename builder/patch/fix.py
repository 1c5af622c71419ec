"""Patches that fix a fault which some releases of a source have and others do not."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.values import FileName, Line, PathBelow


class Fix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch that is applied only where the source has the fault that it fixes.

    ``patch``: file name of the patch.
    ``file``: the file of the patched tree that has the fault.
    ``fault``: a piece of that file, by which the fault is known; blanks do not count.
    ``says``: what the fault is, in a few words.
    """

    patch: FileName
    file: PathBelow
    fault: Line
    says: Line

    def is_needed(self, tree: Path) -> bool:
        """Whether the ``tree``'s file has the fault."""
        path = tree / self.file
        return path.is_file() and _bare(self.fault.encode()) in _bare(path.read_bytes())

    @property
    def left_out(self) -> str:
        """Why it is not applied."""
        return f"left out: {self.file} has not the fault that it fixes ({self.says})"

    @property
    def advice(self) -> str:
        """What to do if it does not apply."""
        return (
            f"it fixes a fault that this source has in another form ({self.says}): rework the hunk,"
            f" or leave the patch out: remove {self.patch} and its line in the series"
        )


def _bare(text: bytes) -> bytes:
    return b"".join(text.split())
