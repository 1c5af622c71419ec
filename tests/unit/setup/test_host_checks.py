"""What this host lacks is told before anything slow is begun, with the exact fix."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.base.image import require_host
from builder.base.model import load_base
from builder.errors import EnvironmentFailure
from builder.host import subordinate, tools
from builder.host.paths import find_project
from tests.support.setup.checkout import program

NOBODY = 65534


def test_a_missing_program_of_the_bases_method_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for base, package in (("debian12", "mmdebstrap"), ("centos6", "dnf")):
        with pytest.raises(EnvironmentFailure) as caught:
            require_host(load_base(find_project().bases / base))
        assert caught.value.hint == f"apt-get install {package}"


def test_a_user_without_subordinate_ids_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in tools.for_method("mmdebstrap", root=False):
        program(tmp_path, tool.name, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(EnvironmentFailure, match="it has no subordinate ids") as caught:
        require_host(load_base(find_project().bases / "debian12"))
    assert "--add-subuids" in caught.value.hint


def test_a_user_needs_subordinate_ids(tmp_path: Path) -> None:
    user = pwd.getpwuid(NOBODY).pw_name
    subuid, subgid = tmp_path / "subuid", tmp_path / "subgid"
    subuid.write_text(f"root:100000:65536\n{user}:165536:65536\n")
    with pytest.raises(EnvironmentFailure) as caught:
        subordinate.require(NOBODY, (subuid, subgid))
    assert str(subgid) in caught.value.cause
    assert str(subuid) not in caught.value.cause
    subgid.write_text(f"{NOBODY}:165536:65536\n")
    subordinate.require(NOBODY, (subuid, subgid))
    subgid.write_text(f"{user}:165536:0\n")
    with pytest.raises(EnvironmentFailure):
        subordinate.require(NOBODY, (subuid, subgid))


def advised(subuid: str, subgid: str, folder: Path) -> str:
    """The command that user nobody is told, with these files."""
    files = (folder / "subuid", folder / "subgid")
    for file, text in zip(files, (subuid, subgid), strict=True):
        file.write_text(text)
    with pytest.raises(EnvironmentFailure) as caught:
        subordinate.require(NOBODY, files)
    return caught.value.hint


@pytest.mark.parametrize(
    ("subuid", "subgid", "ids"),
    [
        ("", "", "100000-165535"),
        ("a:100000:65536\n", "a:100000:65536\n", "165536-231071"),
        ("a:100000:65536\n", "b:165536:65536\n", "231072-296607"),
        ("b:231072:65536\na:100000:65536\n", "", "165536-231071"),
        ("a:120000:10\n", "", "120010-185545"),
        ("a:100000:65536\nb:165537:1\n", "", "165538-231073"),
        ("a:100000:1000000000\nb:5000:65536\n", "", "1000100000-1000165535"),
        ("a:x:65536\na:100000\nrubbish\na:100000:0\n", "", "100000-165535"),
    ],
)
def test_what_is_advised_is_given_to_nobody(
    tmp_path: Path, subuid: str, subgid: str, ids: str
) -> None:
    user = pwd.getpwuid(NOBODY).pw_name
    assert advised(subuid, subgid, tmp_path) == (
        f"sudo usermod --add-subuids {ids} --add-subgids {ids} {user}"
    )


def test_only_what_is_lacking_is_advised(tmp_path: Path) -> None:
    user = pwd.getpwuid(NOBODY).pw_name
    told = advised(f"{user}:100000:65536\n", "", tmp_path)
    assert told == f"sudo usermod --add-subgids 165536-231071 {user}"


def test_no_free_range_is_told(tmp_path: Path) -> None:
    assert "--del-subuids" in advised("a:100000:4294867295\n", "", tmp_path)


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("usermod") is None or shutil.which("unshare") is None,
    reason="makes a user in a file system of its own",
)
def test_the_fix_for_subordinate_ids_is_a_command_that_works(tmp_path: Path) -> None:
    """In a copy of /etc, in a mount namespace of its own."""
    user = pwd.getpwuid(NOBODY).pw_name
    with pytest.raises(EnvironmentFailure) as caught:
        subordinate.require(NOBODY, (tmp_path / "none", tmp_path / "none"))
    command = caught.value.hint.removeprefix("sudo ")
    shell = (
        f'cp -a /etc "{tmp_path}/etc"; mount --bind "{tmp_path}/etc" /etc; '
        f"touch /etc/subuid /etc/subgid; {command}; grep -h ^{user}: /etc/subuid /etc/subgid"
    )
    argv = ["unshare", "--mount", "sh", "-euc", shell]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert told.stdout.count(":65536") == 2, told.stderr
