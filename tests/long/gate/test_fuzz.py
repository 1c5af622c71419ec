"""The gate for longer: seed after seed of mutated packets and netlink messages."""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Callable

import pytest

from tests.support.gate.guest import Plan
from tests.support.gate.workshop import LOAD, SEED, STORMS, Workshop, names

pytestmark = [pytest.mark.timeout(3600)]
SECONDS = 600


def test_ten_minutes_of_storms_bring_no_report(
    made: Workshop, record_property: Callable[[str, object], None]
) -> None:
    first = int(os.environ.get(SEED) or secrets.randbelow(2**31))
    print(f"the gate's first seed: {SEED}={first}")
    begun, tried = time.monotonic(), 0
    for seed in itertools.count(first):
        # Conntrack on in every other round: IPVS then works with entries of its own.
        given = {"GATE_SEED": str(seed), "GATE_CONNTRACK": str(seed % 2), **LOAD}
        heard = made.run("long", Plan(names(STORMS), given, seconds=1200))
        wrong = [one.why for one in map(heard.outcome, names(STORMS)) if not one.passed]
        assert (wrong, heard.reports, heard.fault) == ([], (), ""), f"{SEED}={seed}"
        tried += 1
        if time.monotonic() - begun > SECONDS:
            break
    record_property("seeds", f"{tried} from {first}")
