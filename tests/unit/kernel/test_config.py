"""Fragments say what is wanted; what the kernel made of it is held against them."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import UsageError
from builder.kernel import config
from tests.support.kernel.hardening import weak

FRAGMENTS = Path(__file__).parents[3] / "specs" / "lts" / "kernel-config"
SCRIPT = FRAGMENTS.parent / "kernel" / "check-config.sh"

symbols = st.text(string.ascii_uppercase + string.digits + "_", min_size=1, max_size=12).map(
    "CONFIG_{}".format
)
values = st.one_of(
    st.sampled_from("ymn"),
    st.integers(-9, 1 << 20).map(str),
    st.integers(0, 1 << 32).map(hex),
    st.text(string.ascii_lowercase + " ,/=#", max_size=12).map('"{}"'.format),
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_an_option_knows_its_value_and_its_place() -> None:
    text = (
        '# words\n\nCONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D="a b"\nCONFIG_E=0x1f\n'
    )
    found = [(o.symbol, o.value, str(o.origin)) for o in config.parse(text, "a.config")]
    assert found == [
        ("CONFIG_A", "y", "a.config:3"),
        ("CONFIG_B", "m", "a.config:4"),
        ("CONFIG_C", "n", "a.config:5"),
        ("CONFIG_D", '"a b"', "a.config:6"),
        ("CONFIG_E", "0x1f", "a.config:7"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "CONFIG_A",
        "CONFIG_A=",
        "CONFIG_A=yes",
        "CONFIG_A =y",
        'CONFIG_A="open',
        "A=y",
        "#CONFIG_A is not set",
        "# CONFIG_A is not set yet",
    ],
)
def test_a_malformed_line_is_named(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse(f"CONFIG_OK=y\n{line}\n", "vm.config")
    assert "vm.config:2" in caught.value.what
    assert caught.value.cause == line


@pytest.mark.parametrize(("second", "word"), [("=y", "repeats"), ("=m", "contradicts")])
def test_a_symbol_stands_in_one_place_only(tmp_path: Path, second: str, word: str) -> None:
    one = write(tmp_path, "one.config", "CONFIG_A=y\n")
    two = write(tmp_path, "two.config", f"\nCONFIG_A{second}\n")
    with pytest.raises(UsageError) as caught:
        config.merge([one, two])
    assert caught.value.what == f"kernel configuration two.config:2 {word} one.config:1"


def test_a_fragment_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.config cannot be read"):
        config.merge([tmp_path / "gone.config"])


def test_the_merged_file_tells_where_each_line_is_from(tmp_path: Path) -> None:
    one = write(tmp_path, "one.config", "# words\nCONFIG_A=y\n")
    two = write(tmp_path, "two.config", "CONFIG_B=n\n")
    assert config.merge([one, two]) == (
        "# from one.config:2\nCONFIG_A=y\n# from two.config:1\n# CONFIG_B is not set\n"
    )


@given(st.dictionaries(symbols, values))
def test_merging_changes_no_value(wanted: dict[str, str]) -> None:
    text = "".join(f"{symbol}={value}\n" for symbol, value in wanted.items())
    options = config.combine(iter(config.parse(text, "f")))
    merged = "".join(f"# from {option.origin}\n{option.line}\n" for option in options)
    assert {o.symbol: o.value for o in config.parse(merged, "m")} == wanted
    assert config.compare(options, merged) == ()


def test_every_symbol_that_was_not_taken_over_is_reported() -> None:
    wanted = config.parse("CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=n\nCONFIG_D=20\nCONFIG_E=y\n", "c")
    final = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=m\nCONFIG_D=12\nCONFIG_X=y\n"
    assert [str(found) for found in config.compare(wanted, final)] == [
        "config: CONFIG_B wanted=m got=y (c:2)",
        "config: CONFIG_C wanted=n got=m (c:3)",
        "config: CONFIG_D wanted=20 got=12 (c:4)",
        "config: CONFIG_E wanted=y got=n (c:5)",
    ]


@pytest.mark.parametrize("flavour", ["director", "vm"])
def test_the_fragments_of_a_flavour_agree(flavour: str) -> None:
    options = config.load([FRAGMENTS / "common.config", FRAGMENTS / f"{flavour}.config"])
    wanted = {option.symbol: option.value for option in options}
    assert wanted["CONFIG_IP_VS"] == "m"
    assert wanted["CONFIG_CPU_MITIGATIONS"] == "y"
    assert wanted["CONFIG_EXTRA_FIRMWARE"] == '""'


@pytest.mark.parametrize("flavour", ["director", "vm"])
def test_every_flavour_asks_for_what_hardens_it(flavour: str) -> None:
    options = config.load([FRAGMENTS / "common.config", FRAGMENTS / f"{flavour}.config"])
    assert weak({option.symbol: option.value for option in options}) == []
