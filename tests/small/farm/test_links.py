"""Workers on machines of their own, which a link connects with the builder and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.host.paths import Cache
from builder.host.removal import remove
from tests.support.farm.links import LinkedMachine, star
from tests.support.farm.workers import running
from tests.support.pipeline.anew import build_anew, program, without_objects
from tests.world import SOURCE, World

pytestmark = pytest.mark.engine
BUILD = ("build", "--profile", "small", "--only", "tool", "--jobs", "1")
FUNCTIONS = "".join(
    f"int f{number}(int a, int b) {{ for (int i = 0; i < b; i++) a = a * {number} % (b + i); "
    "return a; }\n"
    for number in range(4_000)
)
"""A compiler has to think about it for some seconds."""
FILES = {
    **SOURCE,
    "large.c": FUNCTIONS,
    "small.c": "int small(void) { return 3; }\n",
    "Makefile": (
        "tool: tool.o large.o small.o\n\tgcc -o tool $^\n"
        "%.o: %.c\n\t@echo '  CC      $@'\n\tgcc -O2 -c -o $@ $<\n"
    ),
}
OBJECTS = 3


@pytest.fixture
def world(small: World, tmp_path: Path) -> Iterator[World]:
    with without_objects(small, tmp_path, FILES, compare=0.001) as made:
        yield made


def test_a_cable_that_is_pulled_costs_a_job_its_time_and_no_object(world: World) -> None:
    with star(2) as (middle, (one, two)):
        here = middle.world(world)
        own = build_anew(world, "own", *BUILD, "--no-workers")
        assert own["compiler"]["compiled"] == OBJECTS
        made = program(world)
        with (
            running(one.world(world), *options(one), address=one.address) as first,
            running(two.world(world), *options(two), address=two.address) as second,
        ):
            hosts = f"{one.address}:{first.port}/4,{two.address}:{second.port}/4"
            found = build_anew(here, "away", *BUILD, "--workers", hosts)
            assert sum(worker["jobs"] for worker in found["workers"]) == OBJECTS, found["said"]
            assert program(world) == made

            remove(Cache(world.cache).ccache_workers, world.cache)
            only = f"{one.address}:{first.port}/4"
            puller = threading.Thread(target=pull_at_work, args=(one, first.port))
            puller.start()
            found = build_anew(here, "pulled", *BUILD, "--workers", only)
            puller.join()
            (lost,) = found["workers"]
            assert lost["failed"] >= 1, found["said"]
            assert f"worker {one.address}:{first.port} gets no jobs for now" in found["said"]
            assert found["compiler"]["compiled"] == OBJECTS
            assert program(world) == made


def options(machine: LinkedMachine) -> tuple[str, ...]:
    """Only the other end of its link may use it."""
    network, _, last = machine.address.rpartition(".")
    return ("--jobs", "4", "--allow", f"{network}.{int(last) - 1}/32")


def pull_at_work(machine: LinkedMachine, port: int) -> None:
    """Pull the cable while the large source is being compiled."""
    machine.wait_for_work(port, 1.0)
    machine.pull_the_cable()
