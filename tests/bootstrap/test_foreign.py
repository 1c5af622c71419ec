"""Bootstrap removes and uses what it made itself, and nothing else."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.bootstrap import checkout
from tests.bootstrap.checkout import Checkout

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="makes mounts of its own")
# The preparation ends at the first file of the new environment; the folder has been swept before.
NO_FILES = 'ulimit -f 0; exec "$@"'


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return checkout.copy(tmp_path / "checkout")


@pytest.fixture
def unprepared(tmp_path: Path) -> Checkout:
    return checkout.copy_setup(tmp_path / "checkout")


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("precious")
    return path


def test_a_link_to_other_environments_is_refused(unprepared: Checkout, tmp_path: Path) -> None:
    precious = write(tmp_path / "venvs/project/file")
    (unprepared.root / ".venvs").symlink_to(tmp_path / "venvs")
    ended = unprepared.run("--list")
    ended.require_refusal("it is a link to", f"rm {shlex.quote(str(unprepared.root / '.venvs'))}")
    assert ended.stderr.count("\n") == 3
    assert precious.read_text() == "precious"
    assert os.listdir(tmp_path / "venvs") == ["project"]  # noqa: PTH208


def test_only_names_of_its_own_are_removed(unprepared: Checkout, tmp_path: Path) -> None:
    home = unprepared.root / ".venvs"
    kept = [
        write(home / name / "file") for name in ("mine", "runtime-new", "earlier-5", "test-1-2")
    ]
    kept.append(write(tmp_path / "linked/file"))
    (home / "runtime-20260101-000000-1").symlink_to(tmp_path / "linked")
    gone = [
        write(home / name / "lib/file")
        for name in ("runtime-20260101-000000-2", ".test-20260101-000000-3.removed-4-0")
    ]
    checkout.run(
        ["sh", "-uc", NO_FILES, "sh", str(unprepared.script), "--list"], Path("/")
    ).require_refusal("cannot make an environment")
    assert [path.read_text() for path in kept] == ["precious"] * len(kept)
    assert not any(path.parents[1].exists() for path in gone)


@needs_root
@pytest.mark.parametrize("place", ["old", "runtime-20260101-000000-1", "test-20260101-000000-1/in"])
def test_no_mount_is_crossed(unprepared: Checkout, tmp_path: Path, place: str) -> None:
    precious = write(tmp_path / "elsewhere/file")
    point = unprepared.root / ".venvs" / place
    point.mkdir(parents=True)
    script = (
        f'mount --bind "$1" "$2"; ({NO_FILES.replace("$@", "$3")} --list); '
        'status=$?; cat "$2/file"; exit $status'
    )
    words = (precious.parent, point, unprepared.script)
    argv = ["unshare", "--mount", "sh", "-uc", script, "sh", *map(str, words)]
    ended = checkout.run(argv, Path("/"))
    ended.require_refusal("cannot make an environment")
    assert ended.stdout == "precious"
    assert precious.read_text() == "precious"


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
