"""The command that installs a tool depends on the host's family."""

from __future__ import annotations

import pytest

from builder.host import packager
from builder.host.tools import Need, Tool

TOOLS = (
    Tool("mke2fs", "e2fsprogs", "to make file systems", Need.BUILD),
    Tool("debugfs", "e2fsprogs", "to read them", Need.BUILD),
    Tool("ensurepip", "python3-venv", "to make the environment", Need.BUILD, module=True),
    Tool("/usr/include/popt.h", "libpopt-dev", "to compile", Need.TEST),
)
APT = "apt-get install e2fsprogs python3-venv libpopt-dev"
DNF = (
    "dnf install '/usr/*bin/mke2fs' '/usr/*bin/debugfs' '*/ensurepip/__init__.py' "
    "'/usr/include/popt.h'"
)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"ID": "debian"}, APT),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, APT),
        ({}, APT),
        ({"ID": "fedora"}, DNF),
        ({"ID": "centos", "ID_LIKE": "rhel fedora"}, DNF),
        ({"ID": "almalinux", "ID_LIKE": "rhel centos fedora"}, DNF),
    ],
)
def test_the_line_to_paste(told: dict[str, str], wanted: str) -> None:
    assert packager.line(TOOLS, told) == wanted
