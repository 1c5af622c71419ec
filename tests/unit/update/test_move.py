"""Which packages get another release when a source moves."""

from __future__ import annotations

import datetime

import pytest

from builder.profile import load
from builder.update import move
from builder.update.offer import Offer, version_of
from tests.world import ROOT

TODAY = datetime.date(2027, 3, 1)


def releases(name: str, version: str, *, same: bool = False) -> dict[str, str]:
    """The releases that change in ``lts`` when a source moves to a version."""
    profile = load.load(ROOT / "specs", "lts")
    source = profile.source[name]
    new = version or version_of(profile, source)
    made = move.changes(profile, source, Offer(new, "1-1"), TODAY, same=same)
    return {str(one.place[1]): one.new for one in made if one.place[-1] == "release"}


@pytest.mark.parametrize(("name", "version"), [("ipvsadm", "1.32"), ("kernel", "6.1.999")])
def test_what_requires_exact_releases_moves_with_them(name: str, version: str) -> None:
    # Otherwise dnf takes the installed lvs-director for the new one, and refuses the others.
    assert releases(name, version) == {"lvs-director": "2.lvs"}
    assert releases(name, "") == {name: "2.lvs", "lvs-director": "2.lvs"}


def test_another_revision_of_the_same_content_raises_no_release() -> None:
    assert releases("ipvsadm", "", same=True) == {}
