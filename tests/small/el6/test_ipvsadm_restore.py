"""What el6's ipvsadm does with a file of commands: it is loaded as a whole, or nothing is changed.

The part of the patch that reads, checks and runs the file is a file of its own.  It is compiled
with a small program in the place of ipvsadm, whose source is in nobody's registry, and with the
compiler's own checks of memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.el6.world import DATA
from tests.world import ROOT

PATCH = ROOT / "patches/el6/ipvsadm/0004-ipvsadm-restore-a-whole-file-or-nothing.patch"
FLAGS = ("-O1", "-g", "-std=gnu89", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover")
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "LC_ALL": "C"}
"""What it has when it ends need not be freed."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restore")
    own = [word for name in ("restore.c", "restore.h") for word in ("--include", name)]
    # Within a checkout, git would leave out what it calls other folders' files.
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", *own, PATCH], cwd=folder, env=alone, check=True)
    sources = (folder / "restore.c", DATA / "restore" / "names.c")
    words = ["gcc", *FLAGS, *SANITIZED, f"-I{folder}", *map(str, sources), "-o", "names"]
    made = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder / "names"


@dataclass(frozen=True)
class Kernel:
    """The program in a folder that has its table, with two names in it."""

    program: Path
    folder: Path

    @property
    def table(self) -> list[str]:
        return (self.folder / "table").read_text().split()

    def run(self, *words: str, text: bytes = b"") -> tuple[int, list[str]]:
        """Status and messages; ``text`` is standard input and the file ``rules``."""
        (self.folder / "rules").write_bytes(text)
        ended = subprocess.run(
            [self.program, *words],
            input=text,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={**os.environ, **QUIET},
        )
        assert ended.stdout == b""
        return ended.returncode, ended.stderr.decode().splitlines()


@pytest.fixture
def kernel(program: Path, tmp_path: Path) -> Kernel:
    (tmp_path / "table").write_text("one\ntwo\n")
    return Kernel(program, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n \n\t\n",
        b"# comment\n   # indented\n#\n-A x\n",
        b"-A x # behind a command\n",
        b"-A x\r\n-A y\r\n",
        b"\xef\xbb\xbf-A x\n",
        b"ipvsadm -A x\n/sbin/ipvsadm -A y\n",
        b"\t-A  x   -w 1  \n",
        b"-A \"x\" -w '1'\n",
        b"# " + b"long " * 100_000 + b"\n-A x\n",
        b"# \xe4\xff not UTF-8\n-A x\n",
        b"-A x",
    ],
    ids=lambda text: text[:20].decode("ascii", "replace").encode("unicode_escape").decode(),
)
def test_a_good_file_passes_without_a_word_and_a_check_changes_nothing(
    kernel: Kernel, text: bytes
) -> None:
    assert kernel.run("--check", "rules", text=text) == (0, [])
    assert kernel.table == ["one", "two"]
    (kernel.folder / "table").unlink()
    assert kernel.run("--check", "rules", text=text) == (0, []), "no kernel is asked"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("foo bar", "`foo': a line begins with one of -A, "),
        ("-L -n", "`-L': a line begins with one of -A, "),
        ("-", "`-': a line begins with one of -A, "),
        ("--restore", "`--restore': a line begins with one of -A, "),
        ("-A", "`-A': a name is needed"),
        ("-A x -w", "`-w': missing argument"),
        ("-A x -w much", "`much': illegal weight"),
        ("-A x -w 101", "`101': too heavy"),
        ("-A 'x", "`'x': a quote is not closed"),
        ('-A ""', "an empty word"),
        ("-A crash", "`-A': not understood (Aborted)"),
        ("-A help", "`-A': not understood"),
    ],
)
def test_an_error_names_its_line_and_its_word(kernel: Kernel, line: str, told: str) -> None:
    text = f"# comment\n\n-A x\n{line}\n-A y\n".encode()
    status, said = kernel.run("rules", text=text)
    assert status == 2
    assert said[0].startswith(f"ipvsadm: rules:4: {told}")
    assert said[1:] == ["ipvsadm: rules: 1 error, nothing was changed"]
    assert kernel.table == ["one", "two"]


def test_all_errors_are_told_at_once_and_a_flood_is_cut(kernel: Kernel) -> None:
    status, said = kernel.run("--replace", "rules", text=b"-A\r\n-A x\n-A y -w z\r\n-w 1")
    assert status == 2
    places = [line.split("': ")[0] for line in said]
    assert places[:3] == [f"ipvsadm: rules:{x}" for x in ("1: `-A", "3: `z", "4: `-w")]
    assert said[3] == "ipvsadm: rules: 3 errors, nothing was changed"
    status, said = kernel.run("rules", text=b"x\n" * 10_000)
    assert (status, len(said)) == (2, 51)
    assert said[-1] == "ipvsadm: rules: 50 or more errors, nothing was changed"
    assert kernel.table == ["one", "two"]


def test_a_word_cannot_speak_to_the_terminal(kernel: Kernel) -> None:
    _, said = kernel.run("--check", "rules", text=b"-A x -w \x1b[2J\xff\n-A x -w " + b"a" * 5000)
    assert "`\\x1b[2J\\xff'" in said[0]
    assert max(map(len, said)) < 300


@pytest.mark.parametrize("text", [b"\0" * 4096, b"-A x\n-A\0 y\n", "-A x\n".encode("utf-16")])
def test_a_file_that_is_no_text_is_refused(kernel: Kernel, text: bytes) -> None:
    status, said = kernel.run("rules", text=text)
    assert status == 2
    assert "a NUL byte: this is not a text file" in said[0]


def test_a_file_that_cannot_be_read_is_named(kernel: Kernel) -> None:
    assert kernel.run("none") == (2, ["ipvsadm: none: No such file or directory"])
    assert kernel.run(".") == (2, ["ipvsadm: .: Is a directory"])
    status, said = kernel.run(text=b"\n-A\n")
    assert (status, said[0]) == (2, "ipvsadm: standard input:2: `-A': a name is needed")


def test_a_file_adds_to_the_table_or_takes_its_place(kernel: Kernel) -> None:
    assert kernel.run("rules", text=b"-D one\n-A three\n") == (0, [])
    assert kernel.table == ["two", "three"]
    assert kernel.run("--replace", "rules", text=b"# new\n-A two\n-A four\n") == (0, [])
    assert kernel.table == ["two", "four"]
    assert kernel.run("--replace", "rules", text=b"# none\n") == (0, [])
    assert kernel.table == []


@pytest.mark.parametrize(
    ("option", "text", "place"),
    [
        ((), b"-A x\n# c\n-A refused\n-A y\n", "3: `-A refused': refused"),
        ((), b"-D one\n-A x\n-A two\n", "3: `-A two': refused"),
        ((), b"-C\n-A y\n-D nobody\n", "3: `-D nobody': refused"),
        (("--replace",), b"-A x\n-A refused\n", "2: `-A refused': refused"),
        (("--replace",), b"-A x\n-A x -w 7\n", "2: `-A x -w 7': refused"),
    ],
)
def test_a_refusal_in_mid_file_puts_the_table_back(
    kernel: Kernel, option: tuple[str, ...], text: bytes, place: str
) -> None:
    status, said = kernel.run(*option, "rules", text=text)
    assert (status, kernel.table) == (1, ["one", "two"])
    assert said == [f"ipvsadm: rules:{place}", "ipvsadm: rules: the table is as it was before"]


def test_a_parser_that_ends_the_program_in_mid_file_does_not_leave_half_a_table(
    kernel: Kernel,
) -> None:
    status, said = kernel.run("--replace", "rules", text=b"-A x\n-A forgotten\n")
    assert (status, kernel.table) == (1, ["one", "two"])
    assert said == ["unknown name", "ipvsadm: rules: the table is as it was before"]


def test_a_table_that_cannot_be_put_back_is_told(kernel: Kernel) -> None:
    (kernel.folder / "full").touch()
    status, said = kernel.run("--replace", "rules", text=b"-A x\n")
    assert status == 3
    assert said == [
        "ipvsadm: rules:1: `-A x': refused",
        "ipvsadm: the table before:1: `-A one': refused",
        "ipvsadm: the table before:2: `-A two': refused",
        "ipvsadm: rules: the table before could not be put back as a whole",
    ]
    # The parser may end the program there as well.
    (kernel.folder / "full").unlink()
    (kernel.folder / "table").write_text("forgotten\n")
    status, said = kernel.run("rules", text=b"-A refused\n")
    assert (status, said[-1]) == (
        3,
        "ipvsadm: rules: the table before could not be put back as a whole",
    )


def test_a_table_that_cannot_be_cleared_is_left_alone(kernel: Kernel) -> None:
    (kernel.folder / "stuck").touch()
    status, said = kernel.run("--replace", "rules", text=b"-A x\n")
    assert (status, kernel.table) == (1, ["one", "two"])
    assert said == ["ipvsadm: rules: the table cannot be cleared; nothing was changed"]


def test_a_signal_does_not_leave_half_a_table(kernel: Kernel) -> None:
    assert kernel.run("rules", text=b"-A signal\n-A x\n") == (0, [])
    assert kernel.table == ["one", "two", "signal", "x"]


def test_a_host_without_such_a_kernel_is_told_after_the_check(kernel: Kernel) -> None:
    (kernel.folder / "table").unlink()
    status, said = kernel.run("rules", text=b"-A\n")
    assert (status, said[0]) == (2, "ipvsadm: rules:1: `-A': a name is needed")
    assert kernel.run("rules", text=b"-A x\n") == (2, ["no kernel"])


def test_the_script_hands_its_options_on(tmp_path: Path) -> None:
    """A line of the patch: ``--check`` and a file's name come to ipvsadm as they are."""
    (line,) = [x for x in PATCH.read_text().splitlines() if x.startswith("+exec ")]
    program = tmp_path / "ipvsadm"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    ended = subprocess.run(
        [shutil.which("sh") or "sh", "-c", line.removeprefix("+"), "sh", "--check", "a b"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "-R --replace --check a b\n"
