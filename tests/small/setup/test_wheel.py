"""The wheel: it carries a project's files, and builds without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import world
from tests.world import ROOT, World


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is made of it."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    run("git", "clone", "-q", ROOT, checkout, cwd=folder)
    build = (sys.executable, "-m", "hatchling", "build", "-d", folder, "-t")
    run(*build, "sdist", cwd=checkout)
    (folder / "sdist").mkdir()  # by tar(1): the filters of tarfile came with Python 3.11.4
    run(
        "tar",
        "--extract",
        "--file",
        next(folder.glob("*.tar.gz")),
        "-C",
        folder / "sdist",
        cwd=folder,
    )
    run(*build, "wheel", cwd=next((folder / "sdist").iterdir()))
    return folder


@pytest.fixture(scope="module")
def installed(made: Path) -> Path:
    """The command, in an environment that has the wheel and sees this one's other packages."""
    home = made / "venv"
    run(sys.executable, "-m", "venv", home, cwd=made)
    pip = (home / "bin/python", "-m", "pip", "install", "--no-deps", "--no-index")
    run(*pip, next(made.glob("*.whl")), cwd=made)
    packages = Path(run(home / "bin/python", "-c", SITE, cwd=made).stdout.strip())
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin/lvs-builder"


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture
def project(installed: Path, pipeline_cache: Path, tmp_path: Path) -> World:
    laid = World(tmp_path / "project", pipeline_cache, program=(installed,))
    laid.project.mkdir()
    told = laid.run("init")
    assert (told.status, told.output.strip()) == (0, str(laid.project)), told.errors
    return laid


def test_the_wheel_has_what_the_checkout_has(made: Path) -> None:
    listed = run("git", "ls-files", "builder", "specs", "patches", "dockerfiles", "docs", cwd=ROOT)
    with zipfile.ZipFile(next(made.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    packed = {
        name if name.startswith("builder/") else f"builder/project/{name}"
        for name in listed.stdout.splitlines()
    }
    assert packed - names == set()
    assert [name for name in names if "artifacts" in name or name.startswith("tests")] == []


@pytest.mark.engine
@pytest.mark.registry
def test_it_builds_the_small_world_where_there_is_no_checkout(project: World) -> None:
    world.add_profile(project)
    before = set(project.rpms())
    built = project.run("build", "--profile", "small", "--only", "tool")
    assert built.status == 0, built.errors
    assert set(project.rpms()) - before, built.errors
    assert "small/report.html" in project.artifacts()
    again = World(project.project / "specs", project.cache, project.env, project.program)
    explained = again.run("explain", "build:tool", "--profile", "small")
    assert explained.status == 0, explained.errors


def test_its_profiles_are_there_to_be_changed(project: World) -> None:
    listed = project.run("show", "profiles")
    assert [line.split()[0] for line in listed.output.splitlines()] == ["el6", "lts"]
    path = project.project / "specs/lts/profile.toml"
    path.write_text(path.read_text().replace("summary = ", "summry = ", 1))
    refused = project.run("show", "stages", "--profile", "lts")
    assert refused.status == 2
    assert "lts/profile.toml:" in refused.errors
    assert "summry" in refused.errors


def test_its_version_is_pyproject_s(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = run(installed, "--version", cwd=tmp_path)
    assert told.stdout == f"lvs-fullnat-builder {version}\n"


def test_outside_of_a_project_it_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    outside = World(tmp_path, tmp_path / "cache", program=(installed,))
    for words in (("build",), ("show", "stages"), ("clean",), ("doctor",)):
        told = outside.run(*words)
        assert told.status == 2, words
        assert "there is no project here" in told.errors
        assert "next:  lvs-builder init FOLDER" in told.errors
    assert list(tmp_path.iterdir()) == []


def test_hints_name_the_command(project: World) -> None:
    told = project.run("build", "--profile", "lst")
    assert told.status == 2
    assert "invoke" not in told.errors
    assert "bootstrap" not in told.errors


def test_tests_and_bench_need_a_checkout(project: World) -> None:
    for task in ("test", "bench"):
        told = project.run(task)
        assert told.status == 2, told
        assert "checkout" in told.errors


def test_init_changes_nothing_that_is_there(project: World, tmp_path: Path) -> None:
    again = project.run("init")
    assert again.status == 2
    assert "is not empty" in again.errors
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    assert project.run("init", str(full)).status == 2
    assert [path.name for path in full.iterdir()] == ["mine"]
    assert project.run("init", str(full / "mine")).status == 2
    new = tmp_path / "a new one" / "below"
    assert project.run("init", str(new)).status == 0
    assert {path.name for path in new.iterdir()} == {
        *(".gitignore", "dockerfiles", "patches", "sources", "specs")
    }
    assert os.access(new / "specs/lts/profile.toml", os.W_OK)
