"""The gate's programs leave the processors to the build beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.host import process
from tests.support.gate import background

AUTOGROUP = Path("/proc/self/autogroup")


def test_a_program_is_nice_within_its_session() -> None:
    ended = process.run(background.words(("nice",)))
    assert ended.text.strip() == "19"


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group by session")
def test_the_session_is_nice_to_others_and_ours_is_as_it_was() -> None:
    before = AUTOGROUP.read_text()
    ended = process.run(background.words(("cat", AUTOGROUP)))
    assert ended.text.endswith(" nice 19\n")
    assert AUTOGROUP.read_text() == before


def test_its_status_and_words_are_the_program_s_own() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    ended = process.run(background.words(("sh", "-c", 'echo "$1"; exit 3', "sh", "a  b")))
    assert (ended.status, ended.stdout, ended.stderr) == (3, b"a  b\n", b"")
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
