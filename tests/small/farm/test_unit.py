"""The unit of docs/how-to/scale: systemd reads it, and what it starts is a worker."""

from __future__ import annotations

import configparser
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.farm.workers import running
from tests.world import ROOT, World

UNIT = ROOT / "docs/how-to/scale/lvs-worker.service"
CHECKOUT = "/srv/lvs-fullnat-builder"


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNIT)
    return parser["Service"]


@pytest.mark.engine
def test_what_it_starts_is_a_worker_that_ends_as_systemd_ends_it(small: World) -> None:
    program, *words = service()["ExecStart"].split()
    assert program == f"{CHECKOUT}/.venv/bin/invoke"
    assert service()["WorkingDirectory"] == CHECKOUT
    given = dict(zip(words[1::2], words[2::2], strict=True))
    assert set(given) == {"--profile", "--listen", "--allow", "--jobs"}
    assert given["--listen"].endswith(":3633")
    with running(small, "--allow", given["--allow"], "--jobs", given["--jobs"]) as made:
        assert "8 jobs at a time" in made.said[-2]
        assert "for 192.0.2.0/24" in made.said[-1]
        made.send(signal.SIGTERM)  # KillMode=mixed
        assert made.process.wait(int(service()["TimeoutStopSec"])) == 0, "Restart=on-failure"
    assert service()["KillMode"] == "mixed"


def test_systemd_reads_it(tmp_path: Path) -> None:
    """The program must be there for systemd, too."""
    path = tmp_path / UNIT.name
    program = service()["ExecStart"].partition(" ")[0]
    path.write_text(UNIT.read_text().replace(program, "/bin/true").replace(CHECKOUT, "/"))
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    told = [line for line in ended.stderr.splitlines() if UNIT.name in line]
    assert told == []
    assert ended.returncode == 0, ended.stderr
