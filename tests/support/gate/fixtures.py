"""The gate's kernel, built once for all of its tests.

The profile's build runs beside the gate, and others wait for that.  What it leaves of the
processors (``background``), most of all while its machines are tried, is enough for the gate.
"""

from __future__ import annotations

import time

import pytest

from builder.console import Console
from builder.host.paths import Cache
from builder.place import Place
from tests import renewal
from tests.support.gate import workshop
from tests.support.gate.workshop import PROFILE, Workshop


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    home = tmp_path_factory.mktemp("gate")
    project, cache = renewal.scratch(home / "project"), Cache(home / "cache")
    renewal.renew(project, PROFILE, cache, Console())
    trees = workshop.trees(Place(project, cache, Console()))
    begun = time.monotonic()
    made = workshop.open_workshop(trees, home / "workshop")
    print(f"the gate's kernel: {time.monotonic() - begun:.0f} s")
    return made
