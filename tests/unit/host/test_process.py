"""No program outlives the builder that started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import process
from tests.nobody import require_readable_checkout
from tests.support.clock import busy

ROOT = Path(__file__).parents[3]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's are tried by hand")

PARENT = """
import sys, time
from builder.host import process
with process.start(["sh", "-c", sys.argv[1]], own_namespaces=sys.argv[2] == "own"):
    time.sleep(1000)
"""


def running(mark: str) -> list[int]:
    """Processes whose command line has ``mark`` in it, but for the one that runs this."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in words and state != "Z":
                found.append(int(entry.name))
    return found


def require_soon(condition: object, what: str, seconds: float = 5.0) -> None:
    """It becomes so within ``seconds``; ``what``: what is wrong if it does not."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def mark() -> Iterator[str]:
    """A number of seconds that no other program sleeps for."""
    mark = f"9{os.getpid()}.{time.monotonic_ns() % 10**9}"
    yield mark
    for pid in running(mark):
        os.kill(pid, signal.SIGKILL)


def start_parent(script: str, kind: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PARENT, script, kind], cwd=ROOT)


def test_a_child_dies_with_a_builder_that_is_killed(mark: str) -> None:
    parent = start_parent(f"exec sleep {mark}", "shared")
    require_soon(lambda: running(mark), "the child was never started")
    parent.kill()
    parent.wait()
    require_soon(lambda: not running(mark), "the child outlives its builder")


@needs_root
def test_nothing_that_runs_in_namespaces_of_its_own_outlives_the_builder(
    mark: str, tmp_path: Path
) -> None:
    script = (
        f"mount -t tmpfs none {tmp_path}; setsid sleep {mark} & "
        f"setsid sh -c 'trap \"\" TERM; sleep {mark}' & trap '' TERM; sleep {mark}"
    )
    parent = start_parent(script, "own")
    require_soon(lambda: len(running(mark)) == 3, "the children were never started")
    # Of the mounts that tests beside this one make nothing can be said.
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    parent.kill()
    parent.wait()
    require_soon(lambda: not running(mark), "children outlive their builder")


@needs_root
def test_leaving_the_block_ends_even_what_has_left_the_process_group(mark: str) -> None:
    with process.start(
        ["sh", "-c", f"trap '' TERM; setsid sleep {mark} & sleep {mark}"], own_namespaces=True
    ):
        require_soon(lambda: len(running(mark)) == 2, "the children were never started")
        begun = time.monotonic()
    assert time.monotonic() - begun < busy(1.8)
    require_soon(lambda: not running(mark), "children outlive the block")


def test_a_program_of_an_ordinary_user_is_root_in_its_own_namespaces(mark: str) -> None:
    words = ["sh", "-c", "id -u; echo $$; mount -t tmpfs none /mnt && echo mounted"]
    if os.geteuid() == 0:
        require_readable_checkout()
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words[:0]]
        script = (
            "from builder.host import process; "
            "print(process.run(['sh', '-c', 'id -u; echo $$; mount -t tmpfs none /mnt "
            "&& echo mounted'], own_namespaces=True).text)"
        )
        told = subprocess.run(
            [*words, sys.executable, "-c", script],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout
    else:
        told = process.run(words, own_namespaces=True).text
    assert told.split() == ["0", "1", "mounted"]


def test_status_output_and_input_are_the_programs_own() -> None:
    done = process.run(["sh", "-c", "cat; echo bad >&2; exit 7"], stdin=b"given")
    assert (done.status, done.stdout, done.stderr) == (7, b"given", b"bad\n")
    killed = process.run(["sh", "-c", "kill -9 $$"])
    assert killed.status == -signal.SIGKILL


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    for name in ("no-such-program", "/nonexistent/program", "/etc/passwd"):
        with pytest.raises(EnvironmentFailure, match=f"cannot start {name}"):
            process.run([name])


def test_words_reach_the_program_as_they_are() -> None:
    words = ["a b", "$(touch /nonexistent/x)", "-x", "--", "'", '"', "\n", "*"]
    done = process.run(["sh", "-c", 'printf "%s\\0" "$@"', "sh", *words])
    assert done.stdout.split(b"\0")[:-1] == [word.encode() for word in words]
