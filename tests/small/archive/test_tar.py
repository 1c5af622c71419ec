"""Whatever a tar claims, it is read in bounded time and memory, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.archive.raw import END, header
from tests.support.archive.unpacking import unpack_bytes


def test_links_that_are_replaced_take_no_longer_than_others(tmp_path: Path) -> None:
    links = [header(b"x/%d" % number, kind=b"2", link=b"a") for number in range(32_000)]
    half = links[:16_000]
    assert _user_seconds(tmp_path, half + half[::-1]) < 3 * _user_seconds(tmp_path, links)


def _user_seconds(folder: Path, links: list[bytes]) -> float:
    (folder / str(len(set(links)))).mkdir()
    before = os.times().user
    assert unpack_bytes(folder / str(len(set(links))), b"".join([*links, END])).files == len(
        set(links)
    )
    return os.times().user - before
