"""Which outputs of the cache count, by whose stages and objects went into them."""

from __future__ import annotations

import pytest

from builder.pipeline.elsewhere import HERE, NOWHERE, Elsewhere, OwnObjects
from builder.pipeline.stage import COMPILER_CACHE, OBJECTS, WORKERS

KEY = "SHA256:abc"


@pytest.mark.parametrize(
    ("elsewhere", "stages", "objects"),
    [
        (NOWHERE, True, True),
        (HERE, False, True),
        (OwnObjects(NOWHERE, OBJECTS), True, False),
        (OwnObjects(HERE, OBJECTS), False, False),
    ],
)
def test_stages_and_objects_of_others_count_apart(
    elsewhere: Elsewhere, *, stages: bool, objects: bool
) -> None:
    assert elsewhere.accepts(())
    assert elsewhere.accepts((KEY,)) is stages
    assert elsewhere.accepts((COMPILER_CACHE,)) is objects
    assert elsewhere.accepts((WORKERS,)) is objects
    assert elsewhere.accepts((KEY, COMPILER_CACHE)) is (stages and objects)


def test_a_team_s_cache_and_workers_are_refused_apart() -> None:
    without_workers = OwnObjects(NOWHERE, frozenset({WORKERS}))
    assert without_workers.accepts((COMPILER_CACHE,))
    assert not without_workers.accepts((COMPILER_CACHE, WORKERS))
