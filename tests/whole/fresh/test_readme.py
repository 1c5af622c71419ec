"""The README's commands work on a machine that has nothing yet."""

from __future__ import annotations

import os

import pytest

from tests.fresh.proof import Figure, require_working

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root")


@pytest.mark.timeout(1200)
def test_set_up_and_fast_tests(record_property: Figure) -> None:
    require_working("bookworm", "fast", record_property)
