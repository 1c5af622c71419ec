"""Every test belongs to exactly one level; ``--level`` chooses, by default what CI runs.

A mark of a level at the test, its class or its module decides, the nearest first; else a
test with a need (an engine, a guest, a registry), or with a project of its own on which it
runs commands, is of the small world; else it is a unit test.  Loaded by ``tests/conftest.py``.
"""

from __future__ import annotations

import pytest

from builder.selftest.parts import CI_LEVELS, LEVELS

NEEDS = ("engine", "guest", "registry", "rpmbuild")
MACHINES = ("engine", "guest", "rpmbuild")
"""Needs of tests that take the whole machine: one of them at a time."""
WORLDS = ("small", "own")
"""Fixtures that give a test a small project of its own."""
LEVEL = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--level",
        action="append",
        choices=LEVELS,
        help=f"run the tests of this level (may be repeated; default: {', '.join(CI_LEVELS)})",
    )


def level_of(item: pytest.Item) -> str:
    """The level of a test.  Raises UsageError if its marks contradict each other."""
    needs = sorted({mark.name for mark in item.iter_markers() if mark.name in NEEDS})
    for node in reversed(item.listchain()):
        named = sorted({mark.name for mark in node.own_markers if mark.name in LEVELS})
        if len(named) > 1:
            raise pytest.UsageError(f"{item.nodeid} has two levels: {' and '.join(named)}")
        if named == ["unit"] and needs:
            raise pytest.UsageError(f"{item.nodeid} is a unit test that needs: {', '.join(needs)}")
        if named:
            return named[0]
    worlds = set(WORLDS) & set(getattr(item, "fixturenames", ()))
    return "small" if needs or worlds else "unit"


def _group(item: pytest.Item) -> str:
    """Tests of one group run one after the other, where several run side by side."""
    machine = any(item.get_closest_marker(need) for need in MACHINES)
    return "machine" if machine else item.location[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--level") or list(CI_LEVELS)
    for item in items:
        item.stash[LEVEL] = level_of(item)
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    others = [item for item in items if item.stash[LEVEL] not in wanted]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.stash[LEVEL] in wanted]
