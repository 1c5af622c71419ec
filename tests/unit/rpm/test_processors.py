"""What a build's container took of the processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.rpm.processors import ALL, MAKE, ProcessorSeconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("usage_usec 503230000\n", 503.23),
        ("986563456789\n", 986.56),
        ("", None),
        ("usage_usec\n", None),
        ("user_usec 12\n", None),
        ("-5\n", None),
        ("9" * 40, None),
        ("\N{ARABIC-INDIC DIGIT FIVE}\n", None),
    ],
)
def test_the_kernel_s_count_is_read_in_both_versions(
    tmp_path: Path, text: str, seconds: float | None
) -> None:
    (tmp_path / ALL).write_text(text, encoding="utf-8")
    assert ProcessorSeconds.read(tmp_path) == ProcessorSeconds(None, seconds)
    (tmp_path / MAKE).write_text("usage_usec 1500000\n")
    assert ProcessorSeconds.read(tmp_path).make == 1.5
