"""Which outputs of the cache count, by whose stages and objects went into them."""

from __future__ import annotations

import pytest

from builder.pipeline.elsewhere import HERE, NOWHERE, Elsewhere, OwnObjects
from builder.pipeline.stage import COMPILER_CACHE

KEY = "SHA256:abc"


@pytest.mark.parametrize(
    ("elsewhere", "stages", "objects"),
    [
        (NOWHERE, True, True),
        (HERE, False, True),
        (OwnObjects(NOWHERE), True, False),
        (OwnObjects(HERE), False, False),
    ],
)
def test_stages_and_objects_of_others_count_apart(
    elsewhere: Elsewhere, *, stages: bool, objects: bool
) -> None:
    assert elsewhere.accepts(())
    assert elsewhere.accepts((KEY,)) is stages
    assert elsewhere.accepts((COMPILER_CACHE,)) is objects
    assert elsewhere.accepts((KEY, COMPILER_CACHE)) is (stages and objects)
