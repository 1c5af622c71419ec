"""What people write in TOML is told with file and line, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import toml
from builder.errors import UsageError


@pytest.mark.parametrize("opening", ["[", "{a=", "[{a=["])
def test_what_is_nested_without_end_is_told_with_its_line(opening: str) -> None:
    text = f'summary = "x"\nvalue = {opening * 5000}\n'
    with pytest.raises(UsageError) as refusal:
        toml.parse(Path("small/profile.toml"), text)
    assert refusal.value.what == "small/profile.toml:2 cannot be used"
    assert "nested" in refusal.value.cause
