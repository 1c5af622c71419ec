"""Builds with workers: the same RPMs, whatever the workers do."""

from __future__ import annotations

import json
import re
import signal
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from builder.configuration import load
from builder.configuration.places import VARIABLE
from builder.digest import Digest
from builder.farm import distcc
from builder.farm.line import PeerLine, to_unix
from builder.farm.serving import WorkerOffer, serving
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.host.serving import served
from tests.support.farm.peers import token
from tests.support.farm.workers import RunningWorker, free_port, worker
from tests.support.pipeline.anew import build_anew, forget, program
from tests.world import SOURCE, SPEC, World

pytestmark = pytest.mark.engine
# With one job here and two or more there, nothing is compiled here.
BUILD = ("build", "--profile", "small", "--only", "tool", "--jobs", "1")
OBJECTS = 6
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
    """A machine without an object of its own."""
    configuration = tmp_path / "config.toml"
    configuration.write_text("[workers]\ncompare = 1\n")
    small.env |= {VARIABLE: str(configuration)}
    small.write_source(FILES)
    small.write_patches()
    small.write_spec(SPEC)
    forget(small)
    yield small
    forget(small)


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


class _Liar(socketserver.BaseRequestHandler):
    """Has jobs done by a compiler, but other ones, or changes what it answers."""

    compiler: Path
    lie: Lie

    def handle(self) -> None:
        line = PeerLine(self.request, 60)
        while (job := distcc.read_job(line)) is not None:
            with to_unix(self.compiler, 60) as connection:
                there = PeerLine(connection, 60)
                there.write(self.lie.asked(job))
                found = distcc.read_answer(there)
            line.write(self.lie.told(found.data))


@contextmanager
def liar(lie: Lie, compiler: Path, image: str, folder: Path) -> Iterator[str]:
    """A worker with the right image whose objects are wrong: its address and jobs."""
    handler = type("Liar", (_Liar,), {"compiler": compiler, "lie": lie})
    path = folder / "liar"
    with served(socketserver.ThreadingUnixStreamServer(str(path), handler)):
        offer = WorkerOffer(path, Digest(image), 2, (ip_network("127.0.0.0/8"),))
        with serving(("127.0.0.1", 0), offer, lambda address: None) as made:
            yield f"127.0.0.1:{made.server_address[1]}/2"


@pytest.mark.parametrize(
    "lie", [Lie(told=flipped), Lie(asked=otherwise)], ids=["damaged", "another compiler"]
)
def test_a_worker_that_lies_is_left_out_and_nothing_of_it_is_kept(
    world: World, tmp_path: Path, lie: Lie
) -> None:
    build(world, "own")
    made = program(world)
    with worker(world) as honest:
        (socket,) = (world.cache / "scratch" / "small").glob("worker-*/shared/socket")
        digest = _digest_of_image(world, honest)
        # Another component's objects are thrown away, but its build has the folder mounted.
        other = Cache(world.cache).ccache_workers / "small.other"
        other.mkdir(parents=True)
        (other / "object").write_text("wrong, perhaps")
        mounted = other.stat().st_ino
        with liar(lie, socket, digest, tmp_path) as bad:
            found = build(world, "lied to", "--workers", f"{bad},127.0.0.1:{honest.port}/4")
        assert program(world) == made
        name = bad.partition("/")[0]
        assert f"worker {name} gets no jobs any more: it has returned an object" in found["said"]
        assert "build:tool: built again without the worker" in found["said"]
        assert [one["worker"] for one in found["workers"]] == [f"127.0.0.1:{honest.port}"]
        assert jobs(found) == [OBJECTS], "nothing was left of the first attempt"
        assert (other.stat().st_ino, list(other.iterdir())) == (mounted, [])


def _digest_of_image(world: World, honest: RunningWorker) -> str:
    """The SHA-256 of the base's root that a worker has, of which it tells the first digits."""
    said = re.search(r"SHA-256 ([0-9a-f]{12})", "\n".join(honest.said))
    assert said
    manifests = (world.cache / "stages" / "image-build").glob("*/stage.json")
    outputs = (one for path in manifests for one in json.loads(path.read_text())["outputs"])
    (found,) = {one["sha256"] for one in outputs if one["sha256"].startswith(said[1])}
    return str(found)


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
