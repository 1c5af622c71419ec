"""An upgrade does not end a keepalived whose configuration the new one would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

PROGRAM = "%{_sbindir}/keepalived\n"
SYSTEMCTL = """\
#!/bin/sh
# One that runs; is-active has status 0.
echo "$@" >>/told
"""


@pytest.fixture(scope="module")
def upgrades(workshop: Workshop) -> tuple[Path, Path]:
    """To a program that accepts what it is asked about, and to one that cannot even be run."""
    able = {"keepalived.spec": (PROGRAM, f"%attr(0755, root, root) {PROGRAM}")}
    return (
        workshop.build("lts", "keepalived", "4.lvs", able),
        workshop.build("lts", "keepalived", "5.lvs"),
    )


def _told(root: Root, before: Path, after: Path) -> tuple[str, str]:
    """What the upgrade says, and what it asks of systemd."""
    (root.path / "run/systemd/system").mkdir(parents=True)
    root.shell(f"rpm_ -i {before}")
    root.write("usr/bin/systemctl", SYSTEMCTL, 0o755)
    said = root.shell(f"rpm_ -U --oldpackage {after} 2>&1")
    return said, (root.path / "told").read_text()


def test_an_upgrade_restarts_a_keepalived_that_understands_its_configuration(
    root: Root, upgrades: tuple[Path, Path]
) -> None:
    able, unable = upgrades
    said, asked = _told(root, unable, able)
    assert "runs on as it was" not in said
    assert "try-restart keepalived.service" in asked


def test_an_upgrade_leaves_one_running_that_would_not_start_again(
    root: Root, upgrades: tuple[Path, Path]
) -> None:
    able, unable = upgrades
    said, asked = _told(root, able, unable)
    assert "keepalived runs on as it was" in said
    assert "keepalived: Permission denied" in said, "what the test said is told, too"
    assert "is-active keepalived.service" in asked
    assert "restart" not in asked
