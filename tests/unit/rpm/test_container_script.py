"""What a build asks about the time, its user and its machine, and what the compiler cache knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from builder.rpm.build import SCRIPT

SPEC = """\
Name: x
%changelog
* Tue Jun 12 2012 A Tester <t@builder.invalid> [2.6.32-220.23.1.el6]
- an \u00e9 of another encoding
* Mon Jan 02 2006 Another
- older
"""
TOLD = """#!/bin/sh
{ for word in "" "+%T" "+%m/%d,%Y"; do date ${word:+"$word"}; done
date -d @86400 +%d; date -ud @86400 +%d; date -R
whoami; id -un; echo "$USER $LOGNAME"; id -u
hostname; hostname -f; domainname; dnsdomainname; echo "$SOURCE_DATE_EPOCH"; } >"$HOME/told"
"""


HEADERS = """#!/bin/sh
cat "$CCACHE_EXTRAFILES" >"$HOME/told"
"""


def asked(folder: Path, spec: str = SPEC, program: str = TOLD, **env: str) -> list[str]:
    """What programs are told that a build runs: a program that tells it stands for rpmbuild."""
    place = folder / "root/usr/local/bin"
    for made in (place, folder / "root/jobs", folder / "home", folder / "bin"):
        made.mkdir(parents=True)
    shutil.copy(SCRIPT, place / "build-rpms")
    os.mkfifo(folder / "root/jobs/tokens")
    (folder / "bin/rpmbuild").write_text(program)
    (folder / "bin/rpmbuild").chmod(0o755)
    (folder / "x.spec").write_text(spec, encoding="latin-1")
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    subprocess.run(
        ("sh", place / "build-rpms", folder / "x.spec"),
        env={"HOME": str(folder / "home"), "PATH": path, "LC_ALL": "C.UTF-8", **env},
        check=True,
        capture_output=True,
    )
    return (folder / "home/told").read_text().splitlines()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_build_s_moment_is_that_of_the_newest_change(tmp_path: Path, zone: str) -> None:
    told = asked(tmp_path, TZ=zone)
    assert told[:3] == ["Tue Jun 12 00:00:00 UTC 2012", "00:00:00", "06/12,2012"]
    assert told[3] == told[4] == "02", "who names a moment gets it"
    assert told[5] == "Tue, 12 Jun 2012 00:00:00 +0000"
    assert told[6:9] == ["builder", "builder", "builder builder"]
    assert told[9] == str(os.getuid())
    assert told[10:] == ["lvs-builder", "lvs-builder", "1339459200"], "there is no domain"


def test_a_spec_without_changes_has_the_time_of_day(tmp_path: Path) -> None:
    told = asked(tmp_path, "Name: x\n")
    assert told[12:] in ([], [""])
    assert told[2].endswith(f",{time.gmtime().tm_year}")


def test_the_compiler_cache_knows_the_system_s_headers(tmp_path: Path) -> None:
    """With -MMD the compiler leaves them out of its list, and an old object would be found."""

    def known(name: str, **headers: str) -> list[str]:
        folder = tmp_path / name / "root/usr/include/sys"
        folder.mkdir(parents=True)
        for header, text in headers.items():
            (folder / f"{header} 1.h").write_text(text)
        return asked(tmp_path / name, program=HEADERS)

    before = known("before", one="#define ONE 1", two="")
    assert [line.partition("  ")[2] for line in before] == ["./sys/one 1.h", "./sys/two 1.h"]
    assert known("same", two="", one="#define ONE 1") == before
    assert known("changed", one="#define ONE 2", two="") != before
    assert known("moved", two="#define ONE 1", one="") != before
