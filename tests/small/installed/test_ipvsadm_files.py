"""``ipvsadm -R --check``: what a file may look like, and how its errors are told.

No kernel is asked: all of this holds before the first change.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.installed.ipvsadm import Program, run
from tests.world import ROOT

pytestmark = pytest.mark.registry
SHIPPED = ROOT / "specs" / "lts" / "ipvsadm" / "ipvsadm.rules"
SERVICE = b"-A -t 192.0.2.1:80 -s rr\n"
NUL = "a NUL byte: this is not a text file"


def faults(ended: subprocess.CompletedProcess[str]) -> list[tuple[int, str]]:
    """Line and word of each error that was told, the summary aside."""
    found = []
    for line in ended.stderr.splitlines()[:-1]:
        program, name, number, told = line.split(":", 3)
        assert (program, name) == ("ipvsadm", " rules"), line
        found.append((int(number), told.partition("`")[2].partition("': ")[0]))
    return found


def test_the_shipped_file_is_one_that_is_loaded(ipvsadm: Program) -> None:
    ended = ipvsadm.run("-R", "--check", SHIPPED)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_shipped_example_is_one_that_is_loaded(ipvsadm: Program) -> None:
    lines = SHIPPED.read_text().splitlines()
    example = "\n".join(line.removeprefix("#") for line in lines if line.startswith("#   -"))
    assert "-P -t" in example
    assert ipvsadm.check(example.encode()).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n \n\t\n",
        b"# comment\n   # indented\n#\n" + SERVICE,
        SERVICE[:-1] + b" # behind a command\n",
        SERVICE.replace(b"\n", b"\r\n") * 2,
        b"\xef\xbb\xbf" + SERVICE,
        b"ipvsadm " + SERVICE,
        b"/usr/sbin/ipvsadm " + SERVICE,
        b"\t-A\t-t  192.0.2.1:80   -s rr  \n",
        b"-A -t \"192.0.2.1:80\" -s 'rr'\n",
        b"# " + b"long " * 100_000 + b"\n" + SERVICE,
        SERVICE[:-1] + b" " * 100_000 + b"-p 300\n",
        b"# \xe4\xff not UTF-8\n" + SERVICE,
        b"-A -f 4294967295 -6 -s sh -b sh-port,flag-3 -p 300 -M 64\n",
        b"-A -u 192.0.2.1:53 -s rr -o\n-A --sctp-service 192.0.2.1:9 -s rr\n",
        b"-A -t [fd00::1] -s rr -p 60 -M 64\n-A -M 64 -p 60 -t [fd00::1]\n",
        b"-P -t 192.0.2.1:80 -z 198.51.100.1\n-Q -z fd00::9 -t [fd00::1]:80\n",
        b"-a -t [fd00::1]:80 -r [fd00::2] -b\n-a -r fd00::2 -m -t [fd00::1]:80\n",
        b"-a -t 192.0.2.1:80 -r 192.0.2.2:8080 -m -w 0 -x 100 -y 50\n",
        b"-a -t 192.0.2.1:80 -r [fd00::2] -i --tun-type gue --tun-port 6080 --tun-csum\n",
        b"--set 900 120 300\n-C\n-Z\n-D -t 192.0.2.1:80\n-d -f 1 -r 192.0.2.2\n",
        b"--start-daemon master --mcast-interface eth0 --syncid 1 --mcast-group ff01::1\n"
        b"--stop-daemon backup\n",
    ],
    ids=lambda text: text[:40].decode("ascii", "replace").encode("unicode_escape").decode(),
)
def test_a_good_file_passes_without_a_word(ipvsadm: Program, text: bytes) -> None:
    ended = ipvsadm.check(text)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("foo bar", "foo"),
        ("-A", "-A"),
        ("-A -t", "-t"),
        ("-A --tpc-service 192.0.2.1:80", "--tpc-service"),
        ("-A -t 192.0.2.1:80 -w 1", "1"),
        ("-A -t 192.0.2.1:80 -s rr -s wlc", "wlc"),
        ("-A -t 192.0.2.1:80 -A", "-A"),
        ("-A -t 192.0.2.1:0 -s rr", "192.0.2.1:0"),
        ("-A -t 192.0.2:80 -s rr", "192.0.2:80"),
        ("-A -t 192.0.2.1:65536 -s rr", "192.0.2.1:65536"),
        ("-A -t 192.0.2.1: -s rr", "192.0.2.1:"),
        ("-A -t [192.0.2.1]:80 -s rr", "[192.0.2.1]:80"),
        ("-A -t [fd00::1 -s rr", "[fd00::1"),
        ("-A -t [fd00::1]x -s rr", "[fd00::1]x"),
        ("-A -t [fd00::1]:80 -p 60 -M 129", "129"),
        ("-A -t [fd00::1]:80 -p 60 -M 64x", "64x"),
        ("-A -t 192.0.2.1:80 -p soon", "soon"),
        ("-A -t 192.0.2.1:80 -s abcdefghijklmnopq", "abcdefghijklmnopq"),
        ("-A -t 192.0.2.1:80 --pe abcdefghijklmnopq", "abcdefghijklmnopq"),
        ("-A -t 192.0.2.1:80 -s rr -b sh-port", "sh-port"),
        ("-A -f 0", "0"),
        ("-A -t 192.0.2.1:80 -s 'rr", "'rr"),
        ('-A -t 192.0.2.1:80 -s ""', ""),
        ("-a -t 192.0.2.1:80", "-a"),
        ("-a -t 192.0.2.1:80 -r 198.51.100 -m", "198.51.100"),
        ("-a -t 192.0.2.1:80 -r fd00::2 -m", "fd00::2"),
        ("-a -t 192.0.2.1:80 -r 192.0.2.2 -m -w much", "much"),
        ("-a -t 192.0.2.1:80 -r 192.0.2.2 -m -x 5 -y 9", "9"),
        ("-a -t 192.0.2.1:80 -r 192.0.2.2 -m -b", "-b"),
        ("-P -t 192.0.2.1:80 -z fd00::9", "fd00::9"),
        ("-P -t 192.0.2.1:80 -z 198.51.100", "198.51.100"),
        ("-P -t 192.0.2.1:80 -z 192.0.2.9:80", "192.0.2.9:80"),
        ("-P -t 192.0.2.1:80", "-P"),
        ("--set 900 120", "--set"),
        ("--set 900 120 never", "never"),
        ("--start-daemon both", "both"),
        ("--start-daemon master --mcast-interface interface-of-20-b", "interface-of-20-b"),
        ("-C now", "now"),
        ("-L -n", "-L"),
        ("-S", "-S"),
        ("-R", "-R"),
        ("-G", "-G"),
        ("-h", "-h"),
        ("-v", "-v"),
        ("--check", "--check"),
        ("-A -t 192.0.2.1:80 --replace", "-A"),
    ],
)
def test_an_error_names_its_line_and_its_word(ipvsadm: Program, line: str, word: str) -> None:
    ended = ipvsadm.check(b"# comment\n\n" + SERVICE + line.encode() + b"\n" + SERVICE)
    assert ended.returncode == 2
    assert faults(ended) == [(4, word)]
    assert ended.stderr.endswith("ipvsadm: rules: 1 error, nothing was changed\n")


def test_all_errors_are_told_at_once(ipvsadm: Program) -> None:
    ended = ipvsadm.check(b"-A\r\n" + SERVICE + b"-a -t 192.0.2.1:80 -r 10.\r\n-w 1")
    assert ended.returncode == 2
    assert faults(ended) == [(1, "-A"), (3, "10."), (4, "-w")]
    assert "3 errors, nothing was changed" in ended.stderr


def test_a_half_written_line_is_an_error(ipvsadm: Program) -> None:
    """Every cut that leaves less than a whole word of it; a cut number is a number."""
    whole = b"-a -t 192.0.2.1:80 -r 198.51.100.10:8080"
    for length in range(1, len(whole) - len("0:8080"), 3):
        assert ipvsadm.check(SERVICE + whole[:length]).returncode == 2, whole[:length]


def test_a_word_cannot_speak_to_the_terminal(ipvsadm: Program) -> None:
    ended = ipvsadm.check(b"-A -t \x1b[2J\xff\n-A -t " + b"9." * 5000 + b"\n")
    assert "`\\x1b[2J\\xff'" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert max(map(len, ended.stderr.splitlines())) < 200


@pytest.mark.parametrize("text", [b"\0" * 4096, SERVICE + b"-A\0 -t 192.0.2.1:81\n", b"-A\n\0"])
def test_a_file_that_is_no_text_is_refused(ipvsadm: Program, text: bytes) -> None:
    ended = ipvsadm.check(text)
    assert ended.returncode == 2
    assert NUL in ended.stderr


def test_utf_16_is_refused(ipvsadm: Program) -> None:
    ended = ipvsadm.check(SERVICE.decode().encode("utf-16"))
    assert (ended.returncode, NUL in ended.stderr) == (2, True)


def test_a_flood_of_errors_is_cut(ipvsadm: Program) -> None:
    ended = ipvsadm.check(b"x\n" * 10_000)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 51
    assert "50 or more errors, nothing was changed" in ended.stderr


def test_a_file_that_cannot_be_read_is_named(ipvsadm: Program, tmp_path: Path) -> None:
    for path, cause in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        for words in (("-R", path), ("-R", "--check", path)):
            ended = ipvsadm.run(*words)
            assert ended.returncode == 2
            assert ended.stderr.startswith(f"ipvsadm: {path}: {cause}")


def test_standard_input_is_named_as_what_it_is(ipvsadm: Program, tmp_path: Path) -> None:
    ended = ipvsadm.run("-R", text=b"\n-A\n")
    assert ended.stderr.startswith("ipvsadm: standard input:2: `-A': ")
    path = tmp_path / "table"
    path.write_text("\n-A\n")
    with path.open() as stream:
        redirected = subprocess.run(
            [str(ipvsadm.path), "-R"], stdin=stream, capture_output=True, text=True, check=False
        )
    assert redirected.stderr.startswith(f"ipvsadm: {path}:2: `-A': ")


@pytest.mark.parametrize("words", [("-R", "--check"), ("--check", "-R"), ("--check",)])
def test_check_can_be_said_in_any_order(ipvsadm: Program, words: tuple[str, ...]) -> None:
    assert ipvsadm.run(*words, text=SERVICE).returncode == 0
    assert ipvsadm.run(*words, "-", text=b"-A\n").returncode == 2


def test_scripts_replace_or_save_whole_files(ipvsadm: Program, tmp_path: Path) -> None:
    """The program is found on PATH, which the scripts set themselves."""
    for name in ("ipvsadm-restore", "ipvsadm-save"):
        script = tmp_path / name
        script.write_text((ipvsadm.tree / name).read_text().replace("PATH=", f"PATH={tmp_path}:"))
        script.chmod(0o755)
    (tmp_path / "ipvsadm").symlink_to(ipvsadm.path)
    path = tmp_path / "table"
    path.write_text("-A -t\n")
    ended = run((tmp_path / "ipvsadm-restore", path))
    assert ended.returncode == 2
    assert f"{path}:1: `-t'" in ended.stderr
    assert run((tmp_path / "ipvsadm-restore", "--check"), b"# empty\n").returncode == 0
    # Whoever may not read the table cannot save it: the file stays what it was.
    powerless = ("setpriv", "--bounding-set=-net_admin") if os.geteuid() == 0 else ()
    assert run((*powerless, tmp_path / "ipvsadm-save", "-n", path)).returncode == 1
    assert path.read_text() == "-A -t\n"
    assert not path.with_name("table.new").exists()
