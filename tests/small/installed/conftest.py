"""A root of each test's own, and RPMs that are made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.installed import ipvsadm as program
from tests.support.installed import root as roots
from tests.support.installed.hollow import Workshop
from tests.support.installed.ipvsadm import Program
from tests.support.installed.root import Root


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roots.make(tmp_path_factory.mktemp("template")).path


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Root:
    return Root(Path(shutil.copytree(template, tmp_path / "root", symlinks=True)))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def directors(workshop: Workshop) -> tuple[Path, Path]:
    """Two releases of lvs-director; in the second one a setting is another."""
    edit = {"80-lvs-director.conf": ("rp_filter = 2", "rp_filter = 1")}
    return (
        workshop.build("lts", "lvs-director", "1.lvs"),
        workshop.build("lts", "lvs-director", "2.lvs", edit),
    )


@pytest.fixture(scope="session")
def ipvsadm(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """With the compiler's own checks of memory, so that a file cannot make it read astray."""
    return program.compile_in(
        program.prepare(tmp_path_factory.mktemp("ipvsadm"), pipeline_cache), program.SANITIZED
    )
