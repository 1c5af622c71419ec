"""Figures on the pages that the code decides are the code's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.archive.unpack import Limits
from builder.console import Console
from builder.host.paths import Cache, find_project
from builder.lab import catalogue
from builder.lab.hosts import network
from builder.patch import series
from builder.place import Place
from builder.smoke import payload
from builder.stages.request import Request
from builder.stages.session import open_session
from tests.world import ROOT

EXPLAINED = "docs/explanation"
EL6 = "docs/how-to/el6-on-real-sources.md"


def _stages(profile: str, base: str, folder: Path) -> int:
    """Of a build: up to the smoke test."""
    place = Place(find_project(), Cache(folder), Console())
    with open_session(Request(profile, base=base), place, reading=True) as session:
        return sum(not name.startswith(("record:", "lab:")) for name in session.stages)


def _assertions(_: Path) -> int:
    scenario, _topology = catalogue.load("fullnat")
    return len(scenario.run[0].rows)


def _minutes(part: str) -> Callable[[Path], str]:
    document = tomllib.loads((ROOT / "tests/budget.toml").read_text(encoding="utf-8"))
    return lambda _: f"{document['minutes'][part]:.1f}"


def _journal(_: Path) -> str:
    """MiB that it may take."""
    folder = ROOT / "dockerfiles/debian12/guest/systemd/files/etc/systemd/journald.conf.d"
    (size,) = re.findall(r"^SystemMaxUse=(\d+)M$", (folder / "director.conf").read_text(), re.M)
    return str(size)


def _series(_: Path) -> int:
    return len(series.load(ROOT / "patches/el6/kernel-modern-toolchain").patches)


@pytest.mark.parametrize(
    ("page", "figure", "count"),
    [
        ("README.md", r"of (\d+) checks", lambda _: len(payload.load("systemd").checks)),
        ("README.md", r"test passed: (\d+) checks", lambda _: len(payload.load("systemd").checks)),
        (EL6, r"today's (\d+) checks", lambda _: len(payload.load("sysv").checks)),
        ("README.md", r"\d+ of (\d+) stages ran", lambda at: _stages("lts", "debian12", at)),
        ("README.md", r"(\d+) stages of `lts`", lambda at: _stages("lts", "debian12", at)),
        (
            f"{EXPLAINED}/security.md",
            r"(\d+) stages of lts",
            lambda at: _stages("lts", "debian12", at),
        ),
        (EL6, r"All (\d+) stages", lambda at: _stages("el6", "debian12", at)),
        ("README.md", r"(\d+) assertions", _assertions),
        (f"{EXPLAINED}/lab.md", r"(\d+) assertions hold", _assertions),
        (EL6, r"`fullnat` \((\d+) rows", _assertions),
        (EL6, r"kernel-modern-toolchain/`: (\d+) patches", _series),
        ("docs/reference/image.md", r"over reboots, in at most (\d+) MiB", _journal),
        (f"{EXPLAINED}/lab.md", r"with (\d+) MiB each", lambda _: network.MEMORY),
        (
            f"{EXPLAINED}/security.md",
            r"headers included \| (\d+) GiB",
            lambda _: Limits().bytes >> 30,
        ),
        (
            f"{EXPLAINED}/security.md",
            r"together; one of them \| (\d+) MiB",
            lambda _: Limits().names >> 20,
        ),
        (f"{EXPLAINED}/tests.md", r"linters +[\d.]+ of +([\d.]+) min", _minutes("linters")),
        (f"{EXPLAINED}/tests.md", r"unit +[\d.]+ of +([\d.]+) min", _minutes("unit")),
        (f"{EXPLAINED}/tests.md", r"small +[\d.]+ of +([\d.]+) min", _minutes("small")),
        (f"{EXPLAINED}/tests.md", r"whole/fresh +[\d.]+ of +([\d.]+) min", _minutes("whole/fresh")),
        (
            f"{EXPLAINED}/tests.md",
            r"\| (\d+) minutes from nothing",
            lambda _: _minutes("ci")(_)[:-2],
        ),
    ],
)
def test_a_page_has_the_figure_of_the_code(
    page: str, figure: str, count: Callable[[Path], int | str], tmp_path: Path
) -> None:
    found = re.findall(figure, (ROOT / page).read_text(encoding="utf-8"))
    assert found, f"{page} has no such figure: has its sentence changed?"
    assert set(found) == {str(count(tmp_path))}
