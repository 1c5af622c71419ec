"""The Python environment is exactly the lock, on every Python that is supported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.pip import ready
from tests.support.setup.locks import KINDS, LOCKS, asked, pinned, plain, text

# What ``python -m venv`` itself brings.
BROUGHT = {"pip", "setuptools", "wheel"}
PYTHONS = ("3.11", "3.13")


@pytest.fixture(scope="module")
def own_pip() -> Iterator[tuple[str, str]]:
    with ready() as words:
        yield words


def pip(python: str | Path, *words: str | Path) -> str:
    """What an environment's pip writes to standard output; its complaint fails the test."""
    return told((python, "-m", "pip"), *words)


def told(pip: Sequence[str | Path], *words: str | Path) -> str:
    argv = [str(word) for word in (*pip, *words)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def environment(folder: Path, lock: Path) -> Path:
    """A new environment of what a lock names, made as bootstrap makes it; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin/python"
    pip(python, "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", lock)
    return python


def installed(python: Path) -> dict[str, str]:
    found = json.loads(pip(python, "list", "--format=json"))
    return {plain(one["name"]): one["version"] for one in found}


def would_take(python: Path, wanted: list[str]) -> set[str]:
    """What pip would add to an environment to satisfy these, extras of dependencies included."""
    report = json.loads(pip(python, "install", "--quiet", "--dry-run", "--report=-", *wanted))
    return {plain(one["metadata"]["name"]) for one in report["install"]}


def without(lock: str, name: str) -> str:
    """The lock's text without one package."""
    return re.sub(rf"^{re.escape(name)}==.*\n(?: .*\n)*", "", lock, flags=re.MULTILINE)


@pytest.mark.registry
@pytest.mark.parametrize("kind", KINDS)
def test_an_environment_from_nothing_is_exactly_the_lock(tmp_path: Path, kind: str) -> None:
    python = environment(tmp_path / "venv", LOCKS / f"{kind}.txt")
    found = installed(python)
    assert {name: found[name] for name in found.keys() - BROUGHT} == pinned(kind)
    pip(python, "check")
    assert would_take(python, asked(kind)) == set()


@pytest.mark.registry
@pytest.mark.parametrize("name", ["msgspec", "urllib3"])
def test_a_package_that_the_lock_lacks_is_noticed(tmp_path: Path, name: str) -> None:
    """One that the project asks for itself, and one that only another package needs."""
    lock = tmp_path / "short.txt"
    lock.write_text(without(text("runtime"), name))
    assert text("runtime").count("==") == lock.read_text().count("==") + 1
    python = environment(tmp_path / "venv", lock)
    assert would_take(python, asked("runtime")) == {name}


@pytest.mark.registry
@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_has_digests_of_wheels_for_each_python(
    tmp_path: Path, own_pip: tuple[str, str], kind: str, version: str
) -> None:
    """Nothing is compiled on the user's machine, whichever supported Python it has."""
    report = told(
        own_pip,
        *("install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report=-"),
        *("--require-hashes", f"--requirement={LOCKS / f'{kind}.txt'}"),
        *("--only-binary=:all:", f"--python-version={version}", "--implementation=cp"),
        *(f"--platform={name}_x86_64" for name in ("manylinux2014", "manylinux_2_28")),
        f"--target={tmp_path}",
    )
    found = {plain(one["metadata"]["name"]) for one in json.loads(report)["install"]}
    assert found == pinned(kind).keys()
