"""A digest is a type: 64 hexadecimal digits, whatever file they come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from builder import digest
from builder.digest import Digest, Size

GOOD = "0123456789abcdef" * 4


class Thing(msgspec.Struct, frozen=True):
    sha256: Digest
    size: Size = 0


@pytest.mark.parametrize(
    "bad", ["", GOOD[:-1], GOOD + "0", GOOD[:-1] + "g", GOOD + "\n", "../" * 21 + "x"]
)
def test_what_is_no_digest_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Digest(bad)


def test_capitals_are_folded() -> None:
    assert Digest(GOOD.upper()) == GOOD


def test_a_digest_goes_into_a_file_and_back() -> None:
    made = digest.decode(digest.encode(Thing(Digest(GOOD), 3)), Thing)
    assert made == Thing(Digest(GOOD), 3)
    assert isinstance(made.sha256, Digest)


@pytest.mark.parametrize("bad", ['{"sha256": "x"}', '{"sha256": 3}'])
def test_a_file_s_mistake_is_told_with_its_field(bad: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.sha256"):
        digest.decode(bad.encode(), Thing)


@pytest.mark.parametrize(("size", "rule"), [(-1, ">= 0"), (1 << 63, "<= 9"), (10**30, "<= 9")])
def test_a_size_is_one_that_a_file_can_have(size: int, rule: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"{rule}.* - at `\$\.size`"):
        digest.decode(f'{{"sha256": "{GOOD}", "size": {size}}}'.encode(), Thing)


def test_a_file_s_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    assert digest.of_file(tmp_path / "file") == hashlib.sha256(b"bytes").hexdigest()


def test_strings_that_are_not_utf8_are_told_as_any_other_damage() -> None:
    with pytest.raises(msgspec.DecodeError, match="JSON is malformed"):
        digest.decode(b'{"sha256": "\xff"}', Thing)
