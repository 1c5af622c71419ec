"""Completion, tried in each shell as a user has it: the script read, a word begun, Tab pressed."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import ROOT

READ = {
    "bash": 'eval "$(./bootstrap --print-completion-script=bash)"',
    "zsh": 'eval "$(./bootstrap --print-completion-script=zsh)"',
}
ARGUMENTS = {"bash": ("--norc", "--noprofile", "-i"), "zsh": ("-f", "-i")}
PROMPT = "ready> "
COMPLETIONS = [
    ("./bootstrap buil", "./bootstrap build "),
    ("./bootstrap build --dry", "./bootstrap build --dry-run "),
    ("./bootstrap build --profile lt", "./bootstrap build --profile lts "),
    ("./bootstrap build --profile=lt", "./bootstrap build --profile=lts "),
    ("./bootstrap explain -p lts build:ker", "./bootstrap explain -p lts build:kernel "),
    ("./bootstrap build -p lts -o kernel,keep", "./bootstrap build -p lts -o kernel,keepalived "),
    ("lvs-builder lab --scenario failo", "lvs-builder lab --scenario failover "),
    ("invoke show prof", "invoke show profiles "),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where ``./bootstrap`` is, as it is in a checkout whose environment is ready."""
    for name in ("bootstrap", "lvs-builder", "invoke"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec {sys.executable} -m builder "$@"\n')
        path.chmod(0o755)
    return tmp_path


def surroundings(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
        "PS1": PROMPT,
        "LVS_BUILDER_CACHE": str(folder / "cache"),
    }


def require_shell(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"{name} is missing, which ./bootstrap test installs"
    return path


class Shell:
    """An interactive shell on a pseudo-terminal."""

    def __init__(self, name: str, folder: Path) -> None:
        path = require_shell(name)
        pid, self._handle = os.forkpty()
        if pid == 0:
            os.chdir(folder)
            os.execve(path, (name, *ARGUMENTS[name]), surroundings(folder))  # noqa: S606
        self._pid = pid
        self._heard = ""
        self.wait_for(re.escape(PROMPT))

    def send(self, text: str) -> None:
        self._heard = ""
        os.write(self._handle, text.encode())

    def wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + 120
        while not re.search(pattern, self._heard):
            assert time.monotonic() < deadline, self._heard
            if select.select([self._handle], [], [], 0.1)[0]:
                self._heard += os.read(self._handle, 65536).decode(errors="replace")
        return self._heard

    def close(self) -> None:
        os.close(self._handle)
        os.waitpid(self._pid, 0)


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    made = Shell(request.param, folder)
    made.send(f"{READ[request.param]}; printf 'script %s\\n' read\n")
    made.wait_for("script read")
    yield made
    made.close()


def test_tab_finishes_tasks_options_and_values(shell: Shell) -> None:
    for typed, whole in COMPLETIONS:
        shell.send(f"{typed}\t")
        assert whole in shell.wait_for(re.escape(whole))
        shell.send("\x15")  # Ctrl-U: the line is taken back


def test_fish_offers_the_same(folder: Path) -> None:
    fish = require_shell("fish")
    script = "./bootstrap --print-completion-script=fish | source\n"
    script += "".join(f"complete --do-complete '{typed}'; echo ==\n" for typed, _ in COMPLETIONS)
    ended = subprocess.run(
        [fish, "--no-config", "-c", script],
        cwd=folder,
        env=surroundings(folder),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    offered = ended.stdout.split("==\n")
    assert len(offered) == len(COMPLETIONS) + 1, ended.stderr
    for (_, whole), found in zip(COMPLETIONS, offered, strict=False):
        assert whole.split()[-1] in found.splitlines(), ended
