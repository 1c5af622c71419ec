"""Checkouts to run ./bootstrap in: the real script and packages, with a short lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import world

ROOT = Path(__file__).parents[3]
# Enough for `invoke --list`; none of them needs another package.
PACKAGES = ("invoke", "msgspec", "platformdirs", "tqdm")
SECONDS = 240


def pick(lock: str, names: tuple[str, ...]) -> str:
    """The entries of some packages out of a lock's text."""
    entries = re.findall(r"^[a-z][^\n]*\\\n(?: .*\n)*", lock, re.MULTILINE)
    return "".join(entry for entry in entries if entry.partition("==")[0] in names)


@dataclass(frozen=True)
class Ended:
    """What a bootstrap left: exit status and output."""

    status: int
    stdout: str
    stderr: str

    @property
    def last_lines(self) -> list[str]:
        return self.stderr.splitlines()[-3:]

    def require_refusal(self, *words: str) -> None:
        """It ended in three lines with status 7, and these words are in them."""
        assert self.status == 7, self.stderr
        what, cause, hint = self.last_lines
        assert (what[:8], cause[:7], hint[:7]) == ("failed: ", "cause: ", "next:  ")
        for word in words:
            assert word in "\n".join(self.last_lines)


@dataclass(frozen=True)
class Checkout:
    """A copy of this checkout."""

    root: Path

    @property
    def script(self) -> Path:
        return self.root / "bootstrap"

    @property
    def link(self) -> Path:
        return self.root / ".venv"

    def environments(self) -> list[str]:
        """Names of the environments that are present, whole or not."""
        home = self.root / ".venvs"
        return sorted(p.name for p in home.iterdir() if p.is_dir()) if home.is_dir() else []

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start ./bootstrap in a process group of its own."""
        return subprocess.Popen(
            [str(self.script), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=surroundings(more),
            start_new_session=True,
        )

    def run(self, *words: str, **more: str) -> Ended:
        """Run ./bootstrap to its end; ``more``: variables."""
        return run([str(self.script), *words], Path("/"), **more)


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without CI, which would agree to installing packages."""
    return {name: value for name, value in os.environ.items() if name != "CI"} | dict(more)


def run(argv: list[str], cwd: Path, /, **more: str) -> Ended:
    """Run a command line to its end; ``more``: variables."""
    ended = subprocess.run(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=surroundings(more),
        timeout=SECONDS,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def copy(target: Path) -> Checkout:
    """A checkout without an environment, whose locks have few packages."""
    made = copy_setup(target)
    shutil.copy2(ROOT / "tasks.py", target)
    shutil.rmtree(target / "builder")
    world.copy(ROOT / "builder", target / "builder")
    return made


def copy_setup(target: Path) -> Checkout:
    """A checkout with no more than bootstrap needs until there is an environment."""
    target.mkdir(parents=True)
    shutil.copy2(ROOT / "bootstrap", target)
    for folder in ("host", "setup"):
        world.copy(ROOT / "builder" / folder, target / "builder" / folder)
    for module in (ROOT / "builder").glob("*.py"):
        shutil.copy2(module, target / "builder")
    requirements = target / "requirements"
    requirements.mkdir()
    for kind in ("runtime", "test"):
        lock = (ROOT / "requirements" / f"{kind}.txt").read_text()
        names = PACKAGES if kind == "runtime" else (*PACKAGES, "iniconfig")
        (requirements / f"{kind}.txt").write_text(pick(lock, names))
    return Checkout(target)


def program(folder: Path, name: str, script: str) -> Path:
    """A shell script that stands for a program of the host."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
