"""Builds with workers: the same RPMs, whatever the workers do."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from builder.configuration import load
from builder.digest import Digest
from builder.farm.distcc import JobAnswer
from builder.farm.exchange import WorkerPatience, compile_there
from builder.farm.model import WorkerAddress
from builder.farm.serving import WorkerOffer, serving
from builder.host.paths import Cache
from builder.host.removal import remove
from tests.support.farm.peers import token
from tests.support.farm.workers import free_port, image_of, worker
from tests.support.pipeline.anew import build_anew, program, without_objects
from tests.world import SOURCE, World

pytestmark = pytest.mark.engine
# With one job here and two or more there, nothing is compiled here.
BUILD = ("build", "--profile", "small", "--only", "tool", "--jobs", "1")
OBJECTS = 6
SESSION = "5" * 32
NAMES = [f"say{number}" for number in range(OBJECTS - 1)]
FILES = {
    **SOURCE,
    "say.h": "int say(void);\n",
    **{f"{one}.c": f'#include "say.h"\nint {one}(void) {{ return 3; }}\n' for one in NAMES},
    "Makefile": (
        f"OBJECTS = tool.o {' '.join(f'{one}.o' for one in NAMES)}\n"
        "tool: $(OBJECTS)\n\tgcc -o tool $(OBJECTS)\n"
        "%.o: %.c say.h\n\t@echo '  CC      $@'\n\tgcc -O2 -g -MD -c -o $@ $<\n"
    ),
}
# What the container can see of the workers: a socket, and no network.
LOOK = """\
test -z "${DISTCC_HOSTS:-}" || test "$(ls /relay)" = socket
test "$(sed -n 's/:.*//p' /proc/net/dev | tr -d ' ')" = lo
for port in %s; do if bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"; then exit 9; fi; done
make %%"""


@pytest.fixture
def world(small: World, tmp_path: Path) -> Iterator[World]:
    with without_objects(small, tmp_path, FILES, compare=1) as made:
        yield made


def build(world: World, note: str, *options: str) -> dict[str, Any]:
    return build_anew(world, note, *BUILD, *options)


def jobs(found: dict[str, Any], what: str = "jobs") -> list[int]:
    return [one[what] for one in found["workers"]]


def test_workers_compile_what_is_compiled_here(world: World) -> None:
    own = build(world, "own")
    assert own["workers"] == []
    assert own["compiler"]["compiled"] == OBJECTS
    made = program(world)
    with worker(world) as one, worker(world) as two:
        ports = f"{one.port} {two.port}"
        spec = world.project / "specs/small/tool.spec.j2"
        spec.write_text(spec.read_text().replace("make %", LOOK % ports))
        world.env[load.HOSTS] = f"127.0.0.1:{one.port}/4,127.0.0.1:{two.port}/4"
        found = build(world, "away")
        assert sum(jobs(found)) == OBJECTS, found["said"]
        assert jobs(found, "compared") == jobs(found), "each was compiled here as well"
        assert jobs(found, "failed") == [0, 0]
        assert found["compiler"]["local"] == 0, "this machine's own objects lie elsewhere"
        assert program(world) == made
        again = build(world, "again")
        assert again["compiler"]["local"] == OBJECTS
        assert again["workers"] == [], "a hit reaches no worker"
        assert program(world) == made

        alone = world.run(*BUILD, "--no-workers")
        assert alone.status == 0, alone.errors
        assert "build:tool: started" in alone.errors, "what workers have compiled does not count"
        assert program(world) == made
        assert "build:tool: started" not in world.run(*BUILD, "--no-workers").errors
        assert build(world, "release", "--no-workers")["compiler"]["local"] == OBJECTS
    assert not any("warning" in line for line in (*one.said, *two.said))


def test_workers_that_die_or_stop_cost_time_and_no_object(world: World) -> None:
    build(world, "own")
    made = program(world)
    with worker(world) as one, worker(world) as two:
        closed = free_port()
        hosts = f"127.0.0.1:{one.port}/4,127.0.0.1:{two.port}/4,127.0.0.1:{closed}/4"
        one.send(signal.SIGSTOP)
        found = build(world, "one stopped, one not there", "--workers", hosts)
        assert jobs(found) == [OBJECTS]
        assert (
            f"worker 127.0.0.1:{closed} is not used in this run: Connection refused"
            in found["said"]
        )
        assert f"worker 127.0.0.1:{one.port} is not used in this run: it does not" in found["said"]
        assert program(world) == made
        remove(Cache(world.cache).ccache_workers, world.cache)
        spec = world.project / "specs/small/tool.spec.j2"
        mark = world.cache / "scratch"
        spec.write_text(spec.read_text().replace("make %", "sleep 3\nmake %"))
        killer = threading.Thread(target=_kill_in_build, args=(mark, two.process))
        killer.start()
        found = build(world, "killed", "--workers", f"127.0.0.1:{two.port}/4")
        killer.join()
        assert two.process.wait(10) == -signal.SIGKILL
        assert sum(jobs(found)) < OBJECTS
        assert "gets no jobs for now" in found["said"]
        assert found["compiler"]["compiled"] == OBJECTS
        assert program(world) == made


def _kill_in_build(scratch: Path, process: subprocess.Popen[str]) -> None:
    """Kill a worker once a build has its socket to the workers."""
    deadline = time.monotonic() + 120
    while not list(scratch.glob("small/*/build-tool/*/relay/socket")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)


def otherwise(job: bytes) -> bytes:
    """The job, for another optimizer: its object is a good one, and differs."""
    changed = job.replace(token("ARGV", b"-O2"), token("ARGV", b"-O1"))
    assert changed != job
    return changed


def flipped(answer: bytes) -> bytes:
    return answer[:-1] + bytes([answer[-1] ^ 1])


@dataclass(frozen=True)
class Lie:
    """``asked``: what becomes of a job.  ``told``: what becomes of an answer."""

    asked: Callable[[bytes], bytes] = bytes
    told: Callable[[bytes], bytes] = bytes


@dataclass(frozen=True)
class Liar:
    """Has jobs done by another worker, but other ones, or changes what it answers."""

    lie: Lie
    honest: WorkerAddress
    image: Digest

    def compile(self, job: bytes, seconds: float) -> JobAnswer:
        asked = self.lie.asked(job)
        found = compile_there(self.honest, self.image, SESSION, asked, WorkerPatience(job=seconds))
        return replace(found, data=self.lie.told(found.data))


@contextmanager
def lying(lie: Lie, honest: WorkerAddress, image: str) -> Iterator[str]:
    """A worker with the right image whose objects are wrong: its address and jobs."""
    liar = Liar(lie, honest, Digest(image))
    networks = (ip_network("127.0.0.0/8"),)
    offer = WorkerOffer(lambda session: nullcontext(liar), liar.image, 2, networks)
    with serving(("127.0.0.1", 0), offer, lambda address: None) as made:
        yield f"127.0.0.1:{made.server_address[1]}/2"


@pytest.mark.parametrize(
    "lie", [Lie(told=flipped), Lie(asked=otherwise)], ids=["damaged", "another compiler"]
)
def test_a_worker_that_lies_is_left_out_and_nothing_of_it_is_kept(world: World, lie: Lie) -> None:
    build(world, "own")
    made = program(world)
    with worker(world) as honest:
        digest = image_of(world, honest)
        # Another component's objects are thrown away, but its build has the folder mounted.
        other = Cache(world.cache).ccache_workers / "small.other"
        other.mkdir(parents=True)
        (other / "object").write_text("wrong, perhaps")
        mounted = other.stat().st_ino
        good = f"127.0.0.1:{honest.port}/4"
        with lying(lie, WorkerAddress.parse(good), digest) as bad:
            found = build(world, "lied to", "--workers", f"{bad},{good}")
        assert program(world) == made
        name = bad.partition("/")[0]
        assert f"worker {name} gets no jobs any more: it has returned an object" in found["said"]
        assert "build:tool: built again without the worker" in found["said"]
        assert [one["worker"] for one in found["workers"]] == [f"127.0.0.1:{honest.port}"]
        assert jobs(found) == [OBJECTS], "nothing was left of the first attempt"
        assert (other.stat().st_ino, list(other.iterdir())) == (mounted, [])


def test_a_worker_ends_with_nothing_left_and_tells_who_was_refused(world: World) -> None:
    with worker(world, "--allow", "192.0.2.0/24") as made:
        found = build(world, "refused", "--workers", f"127.0.0.1:{made.port}/2")
        assert found["workers"] == []
        assert "does not take jobs from this address" in found["said"]
        made.send(signal.SIGTERM)
        assert made.process.wait(60) == 0
    assert any("127.0.0.1 is not allowed to use this worker" in line for line in made.said)
    assert "the worker has ended" in made.said[-1]
    assert world.leavings() == []
    assert not list((world.cache / "scratch" / "small").glob("worker-*"))
