"""A git tree to make real patches from, and a series folder to put them into."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.patch.series import Series, load

Change = Callable[[Path], object]


def numbers(first: int, last: int) -> str:
    return "".join(f"{number}\n" for number in range(first, last + 1))


@dataclass
class Bench:
    """``tree`` is what patches are put on, ``folder`` holds the series."""

    tree: Path
    folder: Path

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
        done = subprocess.run(
            ["git", *identity, "-C", str(self.tree), *words], capture_output=True, check=True
        )
        return done.stdout.decode()

    def lay(self, *names: str) -> Bench:
        """Begin with files of the numbers 1 to 60, and without git."""
        self.tree.mkdir()
        self.folder.mkdir()
        for name in names:
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(numbers(1, 60))
        return self

    def plain(self, *names: str) -> Bench:
        """Begin with files of the numbers 1 to 60."""
        self.lay(*names)
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "start", "--allow-empty")
        return self

    def record(self, name: str, change: Change) -> str:
        """Make the patch of a change, list it, and take the change back."""
        change(self.tree)
        self.git("add", "-A")
        text = self.git("diff", "--cached", "-M", "-C", "--find-copies-harder")
        self.git("reset", "-q", "--hard")
        self.put(name, text)
        return text

    def put(self, name: str, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(data)
        with (self.folder / "series").open("a") as handle:
            handle.write(f"{name}\n")

    def load(self) -> Series:
        return load(self.folder)


def replace(name: str, old: str, new: str) -> Change:
    def change(tree: Path) -> None:
        path = tree / name
        lines = path.read_text().split("\n")
        lines[lines.index(old)] = new
        path.write_text("\n".join(lines))

    return change
