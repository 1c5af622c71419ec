"""What people write in TOML is told with file and line, whatever it is."""

from __future__ import annotations

import subprocess
from enum import StrEnum
from pathlib import Path
from typing import Literal

import msgspec
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


def test_a_number_without_end_is_told_with_its_line() -> None:
    text = f'summary = "x"\nvalue = [\n  1,\n  -{"9_9" * 3000},\n]\n'
    with pytest.raises(UsageError) as refusal:
        toml.parse(Path("small/profile.toml"), text)
    assert refusal.value.what == "small/profile.toml:4 cannot be used"
    assert refusal.value.cause == "a number has too many digits"


def test_a_byte_order_mark_is_named_with_the_command_that_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_bytes(b"\xef\xbb\xbfsummary = 'x'\n")
    with pytest.raises(UsageError, match="byte-order mark") as refusal:
        toml.parse(path, path.read_text(encoding="utf-8"))
    subprocess.run(["sh", "-c", refusal.value.hint.partition(": ")[2]], check=True)
    assert toml.parse(path, path.read_text(encoding="utf-8")) == {"summary": "x"}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/home/builder/checkout/specs/lts/profile.toml", "specs/lts/profile.toml"),
        ("/x/dockerfiles/debian12/base.toml", "dockerfiles/debian12/base.toml"),
        ("/x/builder/lab/scenarios/toa.toml", "builder/lab/scenarios/toa.toml"),
        (
            "/home/builder/.config/lvs-fullnat-builder/config.toml",
            "lvs-fullnat-builder/config.toml",
        ),
        ("profile.toml", "profile.toml"),
    ],
)
def test_a_file_is_named_as_it_is_found_from_the_projects_folder(path: str, place: str) -> None:
    assert toml.refuse(Path(path), 3, "", "").what == f"{place}:3 cannot be used"


class Colour(StrEnum):
    RED = "red"


class Chosen(msgspec.Struct):
    method: Literal["yum", "mmdebstrap"] = "yum"
    colour: Colour = Colour.RED
    lists: tuple[Literal["a", "b"], ...] = ()
    pair: tuple[Literal["on"], Literal["off"]] = ("on", "off")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "method = 'yam'",
            "method: 'yam' is none of mmdebstrap, yum; did you mean 'yum'?",
        ),
        ("colour = 'xxx'", "colour: 'xxx' is none of red"),
        ("lists = ['a', 'z']", "lists[1]: 'z' is none of a, b"),
        ("pair = ['on', 'z']", "Invalid enum value 'z'"),
    ],
)
def test_a_word_that_is_none_of_a_few_is_told_with_these(text: str, cause: str) -> None:
    path = Path("small/profile.toml")
    with pytest.raises(UsageError) as refusal:
        toml.convert(path, text, toml.parse(path, text), Chosen, "", hint="see the page")
    assert cause in refusal.value.cause


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    default_flavour: str = ""


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    tables: dict[str, Inner] = {}
    lists: tuple[Inner, ...] = ()
    one: Inner | None = None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("tabels = {}", "tabels: Object contains unknown field `tabels`; did you mean 'tables'?"),
        ("tables.a.default_flavor = ''", "did you mean 'default_flavour'?"),
        ("lists = [{}, { default-flavour = '' }]", "did you mean 'default_flavour'?"),
        ("one.flavour = ''", "did you mean 'default_flavour'?"),
        ("one.xyz = ''", "unknown field `xyz`"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_one(text: str, cause: str) -> None:
    path = Path("small/profile.toml")
    with pytest.raises(UsageError) as refusal:
        toml.convert(path, text, toml.parse(path, text), Outer, "", hint="see the page")
    assert refusal.value.cause.endswith(cause)
