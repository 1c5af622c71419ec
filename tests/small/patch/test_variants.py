"""The series applies to each variant of a source, and the record says which one it was."""

from __future__ import annotations

import pytest

from tests.world import PROFILE, SOURCE, World

SMALL = ("--profile", "small")
LOCATIONS = """\
variant = "patched"
locations = [
    { url = "file:tool-1.0.tar.gz", variant = "patched" },
    { url = "file:pristine.tar.gz", variant = "pristine" },
]
"""


@pytest.fixture
def two(small: World) -> World:
    """A tool whose distribution's tree has one file more, and lines above the patched ones."""
    plain = 'locations = [{ url = "file:tool-1.0.tar.gz" }]\n'
    assert plain in PROFILE
    profile = small.project / "specs/small/profile.toml"
    profile.write_text(PROFILE.replace(plain, LOCATIONS))
    small.write_source(SOURCE)
    packed = small.project / "tool-1.0.tar.gz"
    (small.project / "pristine.tar.gz").write_bytes(packed.read_bytes())
    small.write_source(
        {
            **SOURCE,
            "tool.c": "/* by the distribution */\n" + SOURCE["tool.c"],
            "debian/changelog": "tool (1.0-1)\n",
        }
    )
    return small


def test_patch_check_passes_on_each_variant(two: World) -> None:
    assert two.run("fetch", *SMALL).status == 0
    found = {}
    for variant in ("patched", "pristine"):
        ended = two.run("patch", "--check", "--variant", f"tool={variant}", *SMALL)
        assert ended.status == 0, ended.errors
        found[variant] = ended.output
    assert found["pristine"] != found["patched"], "the distribution's line moves a hunk"


def test_the_record_says_which_variant_it_is(two: World) -> None:
    assert "variant patched" in two.run("fetch", *SMALL).output
    ended = two.run("fetch", "--variant", "tool=pristine", *SMALL)
    assert "variant pristine; verified: by the digest of its first use" in ended.output
    lock = (two.project / "specs/small/sources.lock").read_text()
    assert "[tool.patched]" in lock
    assert "[tool.pristine]" in lock


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tool=patch", "did you mean 'patched'?"),
        ("tol=patched", "did you mean 'tool'?"),
        ("tool", "--variant tool=pristine"),
    ],
)
def test_a_variant_that_is_none_is_refused(two: World, word: str, said: str) -> None:
    ended = two.run("fetch", "--variant", word, *SMALL)
    assert ended.status == 2
    assert said in ended.errors
