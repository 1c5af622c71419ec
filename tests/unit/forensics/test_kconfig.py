"""The symbols that a series adds, changes and removes are told with what changes of them."""

from __future__ import annotations

from pathlib import Path

from builder.forensics import kconfig, view
from builder.forensics.kconfig import ChangeKind, parse
from builder.patch import apply
from tests.support.patch.tree import Bench

BEFORE = """\
menuconfig IP_VS
\ttristate "IP virtual server"
\tdepends on NET && INET
\t---help---
\t  config NOT_A_SYMBOL
\t    bool "only help"

\t  More help after a blank line.

if IP_VS

config\tIP_VS_TAB_BITS
\tint "table size # the Nth power of 2"
\trange 8 20
\tdefault 12
\thelp
\t  The size.

config IP_VS_OLD
\tdef_bool y

comment "schedulers"
\tdepends on NOWHERE

endif # IP_VS

config AFTER
\tboolean "after it" if EXPERT \\
\t\t&& NET
\tselect CRC32 if NET
"""


def trial_lines(bench: Bench, after: str, more: dict[str, str]) -> kconfig.KconfigReport:
    bench.plain()
    (bench.tree / "net").mkdir()
    (bench.tree / "net/Kconfig").write_text(BEFORE)
    (bench.tree / "net/plain").write_text("config NO\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "tree")

    def change(tree: Path) -> None:
        for name, text in {"net/Kconfig": after, **more}.items():
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).write_text(text)

    bench.record("0001.patch", change)
    with apply.attempt(bench.load(), bench.tree) as trial:
        return kconfig.compare(view.before(trial), view.after(trial), trial.touched)


def test_a_new_range_and_new_symbols_are_told(bench: Bench) -> None:
    after = BEFORE.replace("8 20", "8 22").replace("config IP_VS_OLD\n\tdef_bool y\n", "")
    toa = 'config TOA\n\ttristate "TCP option"\n\tdepends on IP_VS\n\tdefault m\n'
    report = trial_lines(bench, after, {"toa/Kconfig": toa, "net/plain": "config YES\n"})
    assert report.lines() == (
        "Kconfig: IP_VS_TAB_BITS (net/Kconfig) changed: range 8 20 -> 8 22",
        "Kconfig: IP_VS_OLD (net/Kconfig) removed",
        'Kconfig: TOA (toa/Kconfig) added: tristate, prompt "TCP option", default m, depends IP_VS',
    )
    assert [change.change for change in report.changes] == [
        ChangeKind.CHANGED,
        ChangeKind.REMOVED,
        ChangeKind.ADDED,
    ]
    assert report.questions == ("TOA",)


def test_other_words_of_help_are_no_change(bench: Bench) -> None:
    report = trial_lines(bench, BEFORE.replace("The size.", "Its size."), {})
    assert report.changes == ()


def test_a_symbol_without_a_prompt_asks_nothing(bench: Bench) -> None:
    after = BEFORE + "\nconfig HIDDEN\n\tbool\n\tdefault y\n"
    assert trial_lines(bench, after, {}).questions == ()


def test_a_second_definition_beside_the_first_is_an_addition(bench: Bench) -> None:
    report = trial_lines(bench, BEFORE.replace("config AFTER", "config AFTER\nconfig AFTER"), {})
    assert [(one.name, one.change) for one in report.changes] == [("AFTER", ChangeKind.ADDED)]


def test_every_attribute_is_read() -> None:
    symbols = {symbol.name: symbol for symbol in parse(BEFORE)}
    assert list(symbols) == ["IP_VS", "IP_VS_TAB_BITS", "IP_VS_OLD", "AFTER"]
    bits = symbols["IP_VS_TAB_BITS"]
    assert (bits.type, bits.prompt) == ("int", "table size # the Nth power of 2")
    assert (bits.depends, bits.ranges, bits.defaults) == (("IP_VS",), ("8 20",), ("12",))
    assert (symbols["IP_VS_OLD"].type, symbols["IP_VS_OLD"].defaults) == ("bool", ("y",))
    assert symbols["AFTER"].prompt == "after it if EXPERT && NET"
    assert symbols["AFTER"].selects == ("CRC32 if NET",)
    assert symbols["AFTER"].depends == ()


def test_a_choice_and_menus_give_their_conditions_to_what_is_in_them() -> None:
    text = """\
menu "outer"
  depends on A
choice
  prompt "which"
  depends on B
  default ONE
config ONE
  bool "one"
config TWO
  bool "two"
endchoice
endmenu
config THREE
  string "three"
"""
    symbols = {symbol.name: symbol for symbol in parse(text)}
    assert symbols['choice "which"'].defaults == ("ONE",)
    assert symbols["TWO"].depends == ("A", "B")
    assert symbols["THREE"].depends == ()
