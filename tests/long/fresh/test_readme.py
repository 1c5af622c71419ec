"""The README's commands work on a machine that has nothing yet."""

from __future__ import annotations

import os

import pytest

from tests.fresh.proof import Figure, require_working

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root")


@pytest.mark.timeout(1800)
def test_set_up_and_fast_tests_on_debian_13(record_property: Figure) -> None:
    require_working("trixie", "fast", record_property)


@pytest.mark.timeout(6 * 3600)
def test_the_whole_build_and_all_tests(record_property: Figure) -> None:
    require_working("bookworm", "whole", record_property)
