"""The Python environment is exactly the lock, on every Python that is supported."""

from __future__ import annotations

import pytest

from tests.support.setup.locks import KINDS, asked, pinned, plain


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_has_what_the_project_asks_for(kind: str) -> None:
    assert {plain(name) for name in asked(kind)} <= pinned(kind).keys()


def test_the_test_environment_runs_the_runtime_versions() -> None:
    runtime = pinned("runtime")
    everything = pinned("test")
    assert {name: everything.get(name) for name in runtime} == runtime
