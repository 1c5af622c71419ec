"""Bootstrap removes and uses what it made itself, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.setup import checkout
from tests.support.setup.checkout import Checkout
from tests.support.setup.precious import write


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return checkout.copy(tmp_path / "checkout")


@pytest.mark.registry
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_was_in_the_links_place_is_kept(fresh: Checkout, tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        write(fresh.link / "bin/activate")
    elif kind == "file":
        write(fresh.link)
    else:
        fresh.link.symlink_to(write(tmp_path / "other/bin/activate").parents[1])
    for kept in range(2):  # also when another environment is made
        lock = fresh.root / "requirements/runtime.txt"
        lock.write_text(f"# {kept}\n{lock.read_text()}")
        ended = fresh.run("--list")
        assert ended.status == 0, ended.stderr
        folder = fresh.root / ".venvs" if kind != "link" else tmp_path / "other"
        assert "precious" in [
            path.read_text()
            for path in (*folder.glob("kept-*/bin/activate"), *folder.glob("bin/activate"))
            or [path for path in folder.glob("kept-*") if path.is_file()]
        ]
    assert fresh.link.readlink().parent == Path(".venvs")


@pytest.mark.registry
@pytest.mark.parametrize(
    "option", ["target={}", "prefix={}", "root={}", "dry-run=true", "no-deps=1"]
)
def test_pips_configuration_leads_no_package_elsewhere(
    fresh: Checkout, tmp_path: Path, option: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    config = tmp_path / "pip.conf"
    config.write_text(f"[install]\n{option.format(elsewhere)}\n")
    ended = fresh.run("--list", PIP_CONFIG_FILE=str(config))
    assert ended.status == 0, ended.stderr
    assert not elsewhere.exists()


@pytest.mark.registry
def test_the_index_of_pips_configuration_is_used(fresh: Checkout, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nno-index = true\nfind-links =\n  /nonexistent/a\n  /nonexistent/b\n"
    )
    ended = fresh.run("--list", PIP_CONFIG_FILE=str(config), PIP_FIND_LINKS="/nonexistent/c")
    ended.require_refusal("cannot install the packages")


@pytest.mark.registry
def test_an_environment_that_lacks_a_locked_package_is_refused(fresh: Checkout) -> None:
    """Here by a condition that pip obeys without a word."""
    lock = fresh.root / "requirements/runtime.txt"
    text = lock.read_text()
    assert text.count("platformdirs==") == 1
    line = next(line for line in text.splitlines() if line.startswith("platformdirs=="))
    version = line.split("==")[1].split()[0]
    conditional = f"platformdirs=={version} ; python_version < '3' \\"
    lock.write_text(text.replace(line, conditional))
    ended = fresh.run("--list")
    ended.require_refusal(
        "did not install what the lock names", f"missing: platformdirs=={version}"
    )
    assert not fresh.environments()
    assert not fresh.link.exists()
