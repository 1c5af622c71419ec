"""`invoke doctor` as a whole: one program is missing, and an engine that is a peer answers."""

from __future__ import annotations

import io
import os
import pty
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from builder.commands import doctor
from builder.doctor.finding import Report, Status
from builder.errors import EnvironmentFailure
from builder.host import tools
from builder.host.tools import Need
from builder.stages.accelerator import BOOT_ID
from tests.support.commands import desk
from tests.support.commands.desk import PROFILE, Desk
from tests.support.engine import peer as peers
from tests.support.setup.checkout import program

MISSING = "patch"
NOTE = '{"kind": "tcg", "why": "the tests say so", "seconds": 0.0}'


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A host on which all programs are present but one; its guests were found to be emulated."""
    made = desk.make(tmp_path)
    with made.knowing():
        note = made.cache.accelerator(BOOT_ID.read_text().strip())
        note.write_text(NOTE)
    programs = tmp_path / "programs"
    for name in ("sh", "setpriv", "unshare", "chmod", "apt-config", "apt-cache"):
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if found:
            programs.mkdir(exist_ok=True)
            (programs / name).symlink_to(found)
    for tool in tools.of(Need.BUILD, Need.MMDEBSTRAP):
        if not (tool.module or tool.name == MISSING or (programs / tool.name).exists()):
            program(programs, tool.name, f"echo {tool.name} 1.2.3")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(programs))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with peers.serve(tmp_path) as served:
        monkeypatch.setenv("DOCKER_HOST", served.url)
        yield made


def test_what_is_missing_makes_builds_impossible_and_is_told_in_both_forms(
    host: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.examine(PROFILE, host.place, fix=False, json=True) == 7
    told = msgspec.json.decode(capsys.readouterr().out, type=Report)
    findings = {one.name: one for one in told.findings}
    assert findings[MISSING].status is Status.FAILURE
    assert findings[MISSING].fix == f"apt-get install {MISSING}"
    assert findings["engine"].status is Status.OK
    assert findings["source tool"].status is Status.OK
    assert MISSING in told.summary
    assert "checking this host for profile small in base debian12" in host.said.getvalue()
    assert doctor.examine(PROFILE, host.place, fix=False, json=False) == 7
    assert f"fix: apt-get install {MISSING}" in capsys.readouterr().out


def test_what_was_agreed_to_is_installed_and_looked_at_again(
    host: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "programs"
    installer = f"printf '#!/bin/sh\\necho 2.7\\n' >{home}/{MISSING}; chmod +x {home}/{MISSING}"
    (home / "apt-get").unlink(missing_ok=True)
    program(
        home, "apt-get", f'[ "$1" = install ] || exit 0; echo "$@" >>{tmp_path}/ran\n{installer}'
    )
    program(home, "sudo", '"$@"')
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n" * 20)
    with os.fdopen(theirs) as keyboard, monkeypatch.context() as asked:
        asked.setattr("sys.stdin", keyboard)
        doctor.examine(PROFILE, host.place, fix=True, json=False)
    os.close(ours)
    assert not (tmp_path / "ran").exists(), "nobody agreed"
    capsys.readouterr()
    doctor.examine(PROFILE, host.place, fix=True, json=True)
    told = msgspec.json.decode(capsys.readouterr().out, type=Report)
    (found,) = (one for one in told.findings if one.name == MISSING)
    assert (found.status, found.value) == (Status.OK, f"2.7 ({home}/{MISSING})")
    assert f"install -y {MISSING}" in (tmp_path / "ran").read_text()


def test_a_fix_that_fails_is_told_with_its_command(host: Desk, tmp_path: Path) -> None:
    home = tmp_path / "programs"
    (home / "apt-get").unlink(missing_ok=True)
    program(home, "apt-get", "[ $1 = install ] || exit 0; echo 'E: no network' >&2; exit 100")
    program(home, "sudo", '"$@"')
    with pytest.raises(EnvironmentFailure, match="doctor could not fix this") as caught:
        doctor.examine(PROFILE, host.place, fix=True, json=False)
    assert caught.value.cause == "E: no network"
