"""kernel-devel and perf are tried on the kernel that they are for, and told if they fail there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.smoke.payload import GUESTS
from tests.world import ROOT

SOURCE = ROOT / "specs/el6/_old-kernel.c"
SERIES = ROOT / "patches/el6/kernel-modern-toolchain"
# What each program does where all is well, as a stand-in: the real ones are made by the kernel.
PROGRAMS = {
    "build/scripts/basic/fixdep": "printf 'deps_trivial.o := x\\n $(wildcard "
    "include/config/modversions.h)\\n'",
    "build/scripts/genksyms/genksyms": "cat >/dev/null; echo '__crc_trivial = 0x748c5c1c ;'",
    "build/scripts/mod/modpost": "printf '__versions \"module_layout\" depends=ip_vs' "
    ">trivial.mod.c",
}
PERF = 'case $1 in record) : >perf.data ;; *) echo "    99.1%  dd  [kernel]" ;; esac'
TOOLS = ("sh", "mkdir", "cp", "grep", "find", "cat", "uname", "head", "dd")


class Guest:
    """A guest without a compiler: its modules' folder, and programs beside the usual tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.write("modules/build/Makefile", "")
        self.write("modules/kernel/net/ip_vs_rr.ko", "ELF")
        for name, body in PROGRAMS.items():
            self.program(f"modules/{name}", body)
        self.program("bin/perf", PERF)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, name: str, body: str) -> None:
        self.write(name, f"#!/bin/sh\n{body}\n").chmod(0o755)

    def check(self, name: str) -> tuple[int, str]:
        """Status and words of a check, as the self-test runs it."""
        parts = "".join(f". '{GUESTS}/{one}'\n" for one in ("common/report.sh", "sysv/devel.sh"))
        script = f"set -e\nwork='{self.folder}/work'\nmkdir -p \"$work\"\n{parts}"
        script += f"modules='{self.folder}/modules'\n{name}\n"
        ended = subprocess.run(
            (self.bin / "sh", "-c", script),
            env={**os.environ, "PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


def test_a_kernel_devel_that_works_does_its_part_of_a_module(guest: Guest) -> None:
    status, said = guest.check("module_built")
    assert status == 0, said
    assert "fixdep, genksyms and modpost did their part" in said


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("basic/fixdep", "kill -SEGV $$", "fixdep: status 139"),
        ("basic/fixdep", "exit 0", "fixdep: "),
        ("genksyms/genksyms", "exit 0", "genksyms: "),
        ("mod/modpost", "echo 'trivial.o: Invalid argument'; exit 1", "modpost: status 1"),
        ("mod/modpost", ": >trivial.mod.c", "modpost writes no __versions"),
    ],
)
def test_a_program_of_it_that_fails_is_named(
    guest: Guest, name: str, body: str, words: str
) -> None:
    guest.program(f"modules/build/scripts/{name}", body)
    status, said = guest.check("module_built")
    assert status == 1
    assert words in said


def test_with_a_compiler_a_module_is_built_loaded_and_removed(guest: Guest) -> None:
    guest.program("bin/gcc", "exit 0")
    told = guest.folder / "told"
    guest.program("bin/make", f'echo "make $*" >>{told}; : >trivial.ko')
    for name in ("insmod", "rmmod"):
        guest.program(f"bin/{name}", f'echo "{name} $*" >>{told}')
    guest.program("bin/dmesg", "echo 'trivial: loaded'")
    assert guest.check("module_built")[0] == 0
    made, *others = told.read_text().splitlines()
    place = guest.folder / "work" / "trivial"
    assert made == f"make -C {guest.folder}/modules/build M={place} modules"
    assert others == ["insmod trivial.ko", "rmmod trivial"]
    guest.program("bin/make", "echo 'trivial.c:1: error'; exit 2")
    assert guest.check("module_built")[0] == 1


def test_perf_records_and_reports(guest: Guest) -> None:
    status, said = guest.check("perf_reports")
    assert (status, said) == (0, "recorded and reported: 1 lines\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PERF.replace("*) ", "*) exit 244; "), "perf report: status 244"),
        (PERF.replace("99.1%", "nothing"), "perf report lists nothing"),
        ("exit 1", "perf record: status 1"),
    ],
)
def test_a_perf_that_fails_is_told(guest: Guest, body: str, words: str) -> None:
    guest.program("bin/perf", body)
    status, said = guest.check("perf_reports")
    assert status == 1
    assert words in said


def test_an_image_without_them_says_so(guest: Guest) -> None:
    shutil.rmtree(guest.folder / "modules/build")
    (guest.bin / "perf").unlink()
    assert guest.check("module_built") == (77, "kernel-devel is not in this image\n")
    assert guest.check("perf_reports") == (77, "perf is not in this image\n")


def test_host_programs_are_linked_with_what_all_other_static_programs_are() -> None:
    """A patch carries the same text: the kernel's source RPM must build alone."""
    (patch,) = SERIES.glob("0020-*.patch")
    section = patch.read_text().partition("+++ b/scripts/basic/old-kernel.c\n")[2]
    added = section.partition("\ndiff --git")[0].splitlines()[1:]
    assert [line.removeprefix("+") for line in added] == SOURCE.read_text().splitlines()
