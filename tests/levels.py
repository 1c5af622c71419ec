"""A test's level is the folder it lies in; ``--level`` chooses, by default what CI runs.

A test outside the levels' folders, and a unit test that needs what the small world is for,
stop the run.  Loaded by ``tests/conftest.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.selftest.parts import CI_LEVELS, LEVELS

NEEDS = ("engine", "guest", "registry", "rpmbuild")
MACHINES = ("engine", "guest", "rpmbuild")
"""Needs of tests that take the whole machine: one of them at a time."""
WORLDS = ("small", "own", "pipeline_cache")
"""Fixtures that give a test a small project of its own, or the cache of real builds."""
LEVEL = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--level",
        action="append",
        choices=LEVELS,
        help=f"run the tests of this level (may be repeated; default: {', '.join(CI_LEVELS)})",
    )


def level_of(item: pytest.Item) -> str:
    """The level of a test, by its folder; empty if that is not a level's."""
    file = _file(item)
    return file.parts[1] if file.parts[0] == "tests" and file.parts[1] in LEVELS else ""


def _file(item: pytest.Item) -> Path:
    return Path(os.path.relpath(item.path, item.config.rootpath))


def _room(item: pytest.Item) -> str:
    parts = _file(item).parts
    return parts[2] if len(parts) > 3 else ""


def misplaced(item: pytest.Item) -> str:
    """Why a test may not lie where it does, and where to move it; empty if it may."""
    level = level_of(item)
    if not level:
        folders = ", ".join(f"tests/{one}" for one in LEVELS)
        return f"{_file(item)} is in no level's folder: move it to one of {folders}"
    needs = {mark.name for mark in item.iter_markers()} & set(NEEDS)
    needs |= set(getattr(item, "fixturenames", ())) & set(WORLDS)
    if level == "unit" and needs:
        return f"{item.nodeid} needs {', '.join(sorted(needs))}: move it to tests/small"
    return ""


def _group(item: pytest.Item) -> str:
    """Tests of one group run one after the other, where several run side by side.

    At the whole level the profile is built once, for one group; guests of the gate, which keep
    time of their own, run beside it.
    """
    if level_of(item) == "whole":
        return "gate" if _room(item) == "gate" else "built"
    machine = any(item.get_closest_marker(need) for need in MACHINES)
    return "machine" if machine else item.location[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wrong = dict.fromkeys(filter(None, map(misplaced, items)))
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    wanted = config.getoption("--level") or list(CI_LEVELS)
    for item in items:
        item.stash[LEVEL] = level_of(item)
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    # Its minutes are a promise to a person at the keyboard: nothing else is to run then.  And the
    # longest of the long ones comes when the others have shown their faults.
    items.sort(key=lambda item: item.stash[LEVEL] in ("whole", "long") and _room(item) == "fresh")
    others = [item for item in items if item.stash[LEVEL] not in wanted]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.stash[LEVEL] in wanted]
