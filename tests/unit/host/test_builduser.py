"""Builds of root run as a user number that nobody else has."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host.builduser import FIRST, Accounts, unused_number


def accounts(folder: Path, subuid: str = "", uid_map: str = "0 0 4294967295") -> Accounts:
    (folder / "etc").mkdir()
    (folder / "etc" / "subuid").write_text(subuid)
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "uid_map").write_text(f"{uid_map}\n")
    return Accounts(folder / "etc", folder / "proc")


def test_it_is_nobody_of_this_host() -> None:
    number = unused_number()
    assert number == unused_number()
    assert number > 65535 or Path("/proc/self/uid_map").read_text().split()[2] != "4294967295"
    with pytest.raises(KeyError):
        pwd.getpwuid(number)


def test_subordinate_ranges_are_left_alone(tmp_path: Path) -> None:
    text = f"# comment\nann:100000:65536\nbob:{FIRST - 5}:8\nbroken:x:y\nshort\n"
    assert unused_number(accounts(tmp_path, text)) == FIRST + 3


def test_without_a_free_number_the_run_ends(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="no user number is free"):
        unused_number(accounts(tmp_path, f"ann:{FIRST}:1000\n"))


def test_in_a_small_user_namespace_the_highest_number_is_taken(tmp_path: Path) -> None:
    found = unused_number(accounts(tmp_path, uid_map="0 1000 1\n1 100000 70000"))
    assert found == 70000
    assert found != os.getuid()
