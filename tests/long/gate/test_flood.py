"""A flood at a tenth of the full range: what recycling is worth, with servers of both kinds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.gate.guest import Plan
from tests.support.gate.workshop import Workshop

pytestmark = [pytest.mark.timeout(3600)]
CASE = "syn-flood"


@pytest.mark.parametrize("cookies", ["0", "2"])
@pytest.mark.parametrize("recycle", ["1", "0"])
def test_honest_clients_are_served_if_ports_are_recycled(
    made: Workshop, recycle: str, cookies: str, record_property: Callable[[str, object], None]
) -> None:
    given = {
        "GATE_FLOOD_PORTS": "2000",
        "GATE_FLOOD_SECONDS": "120",
        "GATE_FLOOD_RECYCLE": recycle,
        "GATE_FLOOD_COOKIES": cookies,
    }
    heard = made.run(f"flood-{recycle}-{cookies}", Plan((CASE,), given, seconds=1500))
    outcome = heard.outcome(CASE)
    record_property("served", " ".join(line for line in outcome.lines if "SYN/s" in line))
    assert outcome.why == ""
    assert (heard.reports, heard.fault) == ((), "")
