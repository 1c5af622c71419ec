"""One compiled ipvsadm for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ipvsadm import program
from tests.support.ipvsadm.program import Program


@pytest.fixture(scope="session")
def ipvsadm(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """With the compiler's own checks of memory, so that a file cannot make it read astray."""
    return program.compile_in(
        program.prepare(tmp_path_factory.mktemp("ipvsadm"), pipeline_cache), program.SANITIZED
    )


@pytest.fixture(scope="session")
def plain(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Without them, which a guest without KVM is too slow for."""
    return program.compile_in(program.prepare(tmp_path_factory.mktemp("plain"), pipeline_cache))
