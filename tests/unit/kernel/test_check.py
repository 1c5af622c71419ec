"""The check inside the package's build says the same as the pipeline's."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.host.process import Finished, run
from builder.kernel import config
from tests.unit.kernel.test_config import SCRIPT, symbols, values


def check(folder: Path, wanted: str, final: str, tree: Path | None = None) -> Finished:
    (folder / "kernel.config").write_text(wanted)
    (folder / ".config").write_text(final)
    extra = [] if tree is None else [str(tree)]
    return run(["sh", str(SCRIPT), str(folder / "kernel.config"), str(folder / ".config"), *extra])


def merged(text: str) -> tuple[tuple[config.Option, ...], str]:
    options = config.parse(text, "common.config")
    return options, "".join(f"# from {option.origin}\n{option.line}\n" for option in options)


def test_a_configuration_taken_over_whole_is_silent(tmp_path: Path) -> None:
    done = check(
        tmp_path,
        merged('CONFIG_A=y\nCONFIG_B=n\nCONFIG_S="a=b"\n')[1],
        'CONFIG_S="a=b"\nCONFIG_A=y\n',
    )
    assert (done.status, done.stderr) == (0, b"")


@settings(max_examples=40)
@given(st.dictionaries(symbols, values, min_size=1), st.dictionaries(symbols, values), st.data())
def test_shell_and_python_agree(
    wanted: dict[str, str], other: dict[str, str], data: st.DataObject
) -> None:
    options, text = merged("".join(f"{name}={value}\n" for name, value in wanted.items()))
    kept = data.draw(st.sets(st.sampled_from(sorted(wanted))))
    final = {**{name: wanted[name] for name in kept}, **other}
    final_text = "".join(f"{name}={value}\n" for name, value in final.items())
    with tempfile.TemporaryDirectory() as folder:
        done = check(Path(folder), text, final_text)
    said = done.stderr.decode().splitlines()
    assert said == [str(found) for found in config.compare(options, final_text)]
    assert done.ok == (not said)


def test_the_missing_dependency_is_named(tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "net"
    tree.mkdir(parents=True)
    (tree / "Kconfig").write_text(
        'config FOO\n\ttristate "foo"\n\tdepends on BAR && NET\n\tdepends on !BAZ\n'
        "config FOOD\n\tbool\n\tdepends on NOTHING\n"
    )
    done = check(tmp_path, merged("CONFIG_FOO=m\nCONFIG_OLD=y\n")[1], "CONFIG_NET=y\n", tree.parent)
    assert done.status == 1
    assert done.stderr.decode().splitlines() == [
        "config: CONFIG_FOO wanted=m got=n (common.config:1)",
        "config:   (net/Kconfig) BAR && NET !BAZ",
        "config:   CONFIG_BAR is off",
        "config: CONFIG_OLD wanted=y got=n (common.config:2)",
        "config:   no Kconfig file of this kernel has it",
    ]


def test_a_check_without_anything_to_check_fails(tmp_path: Path) -> None:
    assert check(tmp_path, "", "CONFIG_A=y\n").status == 1


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_scripts_are_clean_shell() -> None:
    scripts = sorted(str(path) for path in SCRIPT.parent.glob("*.sh"))
    done = run(["shellcheck", *scripts])
    assert done.ok, done.text
