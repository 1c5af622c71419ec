"""Nobody is sent into the cache, and what is edited there is noticed and made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.commands import outcome
from builder.errors import PatchError, UsageError
from builder.host.paths import Cache


@pytest.mark.parametrize("folder", ["stages/unpack-lvs/0123/output/tree/x.patch", "blobs/0123"])
def test_a_hint_never_names_a_file_of_the_cache(tmp_path: Path, folder: str) -> None:
    cache = Cache(tmp_path / "cache")
    place = cache.root / folder
    error = PatchError(
        "a hunk failed", f"{place}:3", f"invoke explain prep:x\nsed -i s/a/b/ {place}"
    )
    text, status = outcome.of(error, cache)
    assert status == 5
    before, hint = text.rsplit("explain prep:x", 1)
    assert str(place) in before
    assert str(cache.root) not in hint
    assert outcome.COPY in hint
    kept, _ = outcome.of(UsageError("x", "y", f"rm -r {cache.root}/engine"), cache)
    assert f"rm -r {cache.root}/engine" in kept
