"""Clients whose jobs run code of theirs in a worker, and what it can reach."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.farm.distcc import JobAnswer
from builder.farm.exchange import WorkerPatience, compile_there
from builder.farm.model import WorkerAddress, WorkerFailed
from tests.support.farm.peers import job
from tests.support.farm.workers import RunningWorker, image_of, worker
from tests.world import World, make

pytestmark = pytest.mark.engine
ONE, TWO = "1" * 32, "2" * 32
PATIENCE = WorkerPatience(greet=20.0, job=60.0)
SOURCE = b"int x;\n"


@dataclass(frozen=True)
class Client:
    """Whoever may have jobs done by a worker."""

    address: WorkerAddress
    image: Digest

    def ask(self, session: str, *words: str, source: bytes = SOURCE) -> JobAnswer:
        """Have a job done: words of the compiler, after its own."""
        argv = ("gcc", *words, "-c", "x.c", "-o", "x.o")
        asked = job(source, *argv).replace(b"DIST00000002", b"DIST00000001")  # not compressed
        return compile_there(self.address, self.image, session, asked, PATIENCE)

    def run(self, session: str, script: str) -> None:
        """Run a shell script there; the job fails."""
        assert "," not in script
        try:
            self.ask(session, "-wrapper", f"/bin/sh,-c,{script}")
        except WorkerFailed:
            return

    def ran(self, session: str, script: str) -> bool:
        """Whether a script runs there, which must end with this word."""
        found = self.ask(session, "-wrapper", f"/bin/sh,-c,{script}; echo HAS-RUN >&2; exit 1")
        return b"HAS-RUN" in found.data

    def works(self, session: str) -> bool:
        """Whether an honest job is done."""
        found = self.ask(session)
        return found.status == 0 and found.object.startswith(b"\x7fELF")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pipeline_cache: Path) -> World:
    return make(tmp_path_factory.mktemp("hostile") / "project", pipeline_cache)


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[RunningWorker]:
    """One worker for all tests: it must serve each after all that came before."""
    with worker(world) as made:
        yield made


@pytest.fixture
def client(world: World, running: RunningWorker) -> Client:
    address = WorkerAddress("127.0.0.1", running.port, 4)
    return Client(address, Digest(image_of(world, running)))


def test_code_of_a_job_reaches_no_socket_and_no_file_of_the_host(
    world: World, client: Client, tmp_path: Path
) -> None:
    reached = tmp_path / "canary"
    with socket.socket(socket.AF_UNIX) as canary:
        canary.bind(str(reached))
        canary.listen()
        canary.settimeout(1.0)
        assert client.works(ONE)
        client.run(ONE, f"rm -f /worker/*; ln -sf {reached} /worker/socket; echo x >/worker/x")
        for _ in range(5):
            assert client.works(ONE)
        with pytest.raises(TimeoutError):
            canary.accept()
    folders = {path.parent for path in world.cache.glob("scratch/small/worker-*/*/shared/*")}
    assert folders
    for shared in folders:
        assert sorted(path.name for path in shared.iterdir()) == ["lifeline", "socket"]
        assert (shared / "socket").is_socket()


def test_a_job_may_run_code(client: Client) -> None:
    """Otherwise the other tests would prove nothing."""
    assert client.ran(ONE, "true")


def test_what_a_job_leaves_behind_meets_no_other_session(client: Client) -> None:
    poison = (
        "echo evil >/tmp/left; (while :; do for f in /tmp/*; do echo EVIL >>$f; done; done) "
        ">/dev/null 2>&1 </dev/null & sleep 1"
    )
    client.run(ONE, poison)
    found = [client.ask(TWO, source=b'__asm__(".incbin \\"/tmp/left\\"");') for _ in range(3)]
    assert all(one.status != 0 for one in found), "the file is there"
    objects = [client.ask(TWO) for _ in range(5)]
    assert {one.status for one in objects} == {0}
    assert not any(b"EVIL" in one.data for one in objects)


@pytest.mark.parametrize(
    "script",
    [
        "kill -9 -1",
        "rm -f /worker/socket; pkill socat",
        ":() { : | : & }; :",
        'head -c 1G /dev/zero >"$TMPDIR/full"',
        "for s in 1 2 3 4 5 6 7 8; do (sleep 600 &) ; done",
    ],
    ids=["kills all", "kills slots", "forks", "fills /tmp", "leaves processes"],
)
def test_a_worker_goes_on_whatever_a_job_does(client: Client, script: str) -> None:
    client.run(ONE, script)
    assert client.works(TWO), "another session at once"
    deadline = time.monotonic() + 60
    while not _does(client):
        assert time.monotonic() < deadline, "the session itself within a minute"
        time.sleep(1)


def _does(client: Client) -> bool:
    try:
        return client.works(ONE)
    except WorkerFailed:
        return False


def test_clients_that_break_off_leave_all_slots_usable(client: Client) -> None:
    asked = job(SOURCE, "gcc", "-O2", "-c", "x.c", "-o", "x.o")
    for number in range(60):
        with socket.create_connection((client.address.host, client.address.port), 10) as made:
            made.sendall(f"lvs-worker 2 {client.image} {ONE}\n".encode())
            made.sendall(asked[: 20 + number])
    deadline = time.monotonic() + 60
    while not _does(client):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert all(client.works(session) for session in (ONE, TWO, ONE))
