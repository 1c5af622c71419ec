"""The gate asks for options, and notices which it did not get."""

from __future__ import annotations

from tests.support.gate import kernel

WANTED = "# a comment\nCONFIG_KASAN=y\nCONFIG_IP_VS=m\n"


def test_every_option_must_be_in_the_result() -> None:
    assert kernel.missing(WANTED, "CONFIG_KASAN=y\nCONFIG_IP_VS=m\nCONFIG_MORE=y\n") == ()


def test_an_option_that_is_dropped_or_other_is_named() -> None:
    result = "# CONFIG_KASAN is not set\nCONFIG_IP_VS=y\n"
    assert kernel.missing(WANTED, result) == ("CONFIG_KASAN=y", "CONFIG_IP_VS=m")


def test_the_fragment_asks_for_what_finds_faults() -> None:
    asked = kernel.options(kernel.FRAGMENT.read_text())
    for name in ("KASAN", "PROVE_LOCKING", "PROVE_RCU", "DEBUG_OBJECTS", "DEBUG_OBJECTS_TIMERS"):
        assert f"CONFIG_{name}=y" in asked
    assert len(set(asked)) == len(asked)
