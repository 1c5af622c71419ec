"""The two states of a source tree: as it is, and as a tried patch series would leave it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.patch.apply import Trial


@dataclass(frozen=True)
class TreeView:
    """One state of ``tree``; ``patched``: the folder with its ``touched`` files, if they differ.

    Sources are read as latin-1: what matters in them is ASCII, and every byte is a character.
    """

    tree: Path
    patched: Path | None = None
    touched: frozenset[str] = frozenset()

    def locate(self, name: str) -> Path:
        """The path of the file's content, if the file exists."""
        if self.patched is not None and name in self.touched:
            return self.patched / name
        return self.tree / name

    def read(self, name: str) -> str | None:
        """The text of a file; None if there is none of that name."""
        path = self.locate(name)
        return path.read_text(encoding="latin-1") if path.is_file() else None

    def names(self, folder: str, suffix: str) -> Iterator[str]:
        """Every file of ``folder`` and those below it whose name ends in ``suffix``, sorted."""
        root = self.tree / folder
        found = {str(path.relative_to(self.tree)) for path in root.rglob(f"*{suffix}")}
        if self.patched is not None:
            prefix = f"{folder}/"
            ours = {name for name in self.touched if name.startswith(prefix)}
            found |= {name for name in ours if name.endswith(suffix)}
        yield from sorted(name for name in found if self.locate(name).is_file())


def before(trial: Trial) -> TreeView:
    """The tree as it is."""
    return TreeView(trial.tree)


def after(trial: Trial) -> TreeView:
    """The tree as the series would leave it."""
    return TreeView(trial.tree, trial.patched, trial.touched)
