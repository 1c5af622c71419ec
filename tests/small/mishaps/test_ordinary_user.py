"""A run of an ordinary user leaves no more behind than one of root, and is gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world
from tests.support.mishaps.traces import Traces
from tests.support.mishaps.waiting import Listener

pytestmark = [
    pytest.mark.registry,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="it becomes an ordinary user itself"),
]
NOBODY = 65534
BECOME = (
    'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && '
    f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"'
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the ordinary user can reach; pytest's own are for the caller alone."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="ordinary-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def reaches(test: str, path: str) -> bool:
    """Whether the ordinary user's test(1) of a path succeeds."""
    become = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return subprocess.run((*become, "test", test, path), check=False).returncode == 0


def interpreter() -> tuple[list[str], dict[str, str]]:
    """This Python, or Debian's with this one's packages if only root can reach this one."""
    if reaches("-x", sys.executable):
        return [sys.executable], {}
    packages = sysconfig.get_path("purelib")
    if not reaches("-r", packages):
        pytest.skip(f"no ordinary user can read {packages}")
    asked = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    if asked.stdout.split() != [str(number) for number in sys.version_info[:2]]:
        pytest.skip(f"no ordinary user can run {sys.executable}")
    return ["/usr/bin/python3"], {"PYTHONPATH": packages}


def test_a_killed_bootstrap_of_an_ordinary_user_is_gone_on_with(place: Path) -> None:
    python, more = interpreter()
    small = world.make(place / "project", place / "cache")
    small.cache.mkdir(mode=0o700)
    ranges = place / "subids"
    ranges.write_text(f"{NOBODY}:1800000000:65536\n")
    for path in (place, *place.rglob("*")):
        os.chown(path, NOBODY, NOBODY)

    def start(*words: str) -> subprocess.Popen[str]:
        fenced = ("unshare", "--mount", "sh", "-c", BECOME, "sh", str(ranges))
        return subprocess.Popen(
            (*fenced, *python, *small.command(*words)[1:]),
            cwd=small.project,
            env={**small.environment, "HOME": str(place), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    before = Traces.now(small.cache)
    process = start("image", "--refresh", "--profile", "small")
    listener = Listener(process)
    listener.wait_for("Bootstrapping the guest root")
    time.sleep(15)
    assert process.poll() is None, listener.text
    process.kill()
    process.wait(30)
    before.require_unchanged(2.0)
    inside = [path for path in small.cache.rglob("etc/*") if path.stat().st_uid == NOBODY]
    assert inside, "it was killed before there was anything to remove"
    again = start("patch", "--profile", "small")
    listener = Listener(again)
    assert again.wait(120) == 0, listener.text
    assert not list(small.cache.rglob("etc"))
