"""How-to pages: every command is tried somewhere, or is known not to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.disk.operate.page import Block, blocks

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


def test_blocks_come_in_the_order_of_the_page_with_their_hosts() -> None:
    text = "A\n\n```sh\na\n```\n<!-- try: client -->\n```sh\nb\nc\n```\n```text\nd\n```\n"
    assert blocks(text) == (Block(4, "", False, "a\n"), Block(8, "client", False, "b\nc\n"))


@pytest.mark.parametrize(
    "text",
    [
        "<!-- try: director -->\n\n```sh\na\n```\n",
        "<!-- try: nowhere -->\n```sh\na\n```\n",
        "<!-- try director -->\n```sh\na\n```\n",
        "<!-- try: director -->\n",
    ],
)
def test_a_mark_that_marks_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        blocks(text)


@pytest.mark.parametrize(
    ("page", "hosts"),
    [("operate.md", {"director", "client"}), ("operate-el6.md", {"director", "packages"})],
)
def test_a_director_has_a_block_that_is_tried_for_every_step(page: str, hosts: set[str]) -> None:
    tried = [block for block in blocks((PAGES / page).read_text(encoding="utf-8")) if block.where]
    assert hosts <= {block.where for block in tried}
    assert any(block.reboots for block in tried)
