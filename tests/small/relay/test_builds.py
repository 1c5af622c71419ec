"""Builds with a team's compiler cache: the same RPMs, whatever the store does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.configuration import load
from builder.configuration.places import VARIABLE
from tests.support.pipeline.anew import build_anew, forget, program
from tests.support.remote.store import USER, StoreServer
from tests.world import SOURCE, SPEC, World

pytestmark = pytest.mark.engine
BUILD = ("build", "--profile", "small", "--only", "tool")
MAKEFILE = (
    "tool: tool.o say.o\n\tgcc -o tool tool.o say.o\n"
    "%.o: %.c say.h\n\t@echo '  CC      $@'\n\tgcc -O2 -MD -c -o $@ $<\n"
)
FILES = {
    **SOURCE,
    "say.h": "int say(void);\n",
    "say.c": '#include "say.h"\nint say(void) { return 3; }\n',
    "Makefile": MAKEFILE,
}
# What the container can see of the store: its socket, and no network.
LOOK = """\
test -z "${CCACHE_REMOTE_STORAGE:-}" || test "$(ls /relay)" = socket
test "$(sed -n 's/:.*//p' /proc/net/dev | tr -d ' ')" = lo
if bash -c 'exec 3<>/dev/tcp/127.0.0.1/PORT'; then exit 9; fi
if env | grep -q sesame; then exit 9; fi
make %"""


@pytest.fixture
def world(small: World, stage_store: StoreServer, tmp_path: Path) -> Iterator[World]:
    """A machine that may write, with two objects to compile and no object of its own."""
    path = tmp_path / "config.toml"
    path.write_text('[compiler-cache]\nmode = "read-write"\n')
    small.env |= {
        VARIABLE: str(path), load.CACHE: f"{stage_store.url}objects/", load.CACHE_TOKEN: USER,
    }  # fmt: skip
    small.write_source(FILES)
    small.write_patches()
    small.write_spec(SPEC.replace("make %", LOOK.replace("PORT", str(stage_store.port))))
    forget(small)
    yield small
    forget(small)


def build(world: World, note: str, *options: str) -> dict[str, Any]:
    """Where the objects came from, and what was said."""
    found = build_anew(world, note, *BUILD, *options)
    compiler: dict[str, Any] = found["compiler"]
    return compiler | {"said": found["said"]}


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["local"], found["remote"], found["compiled"]


def test_a_fresh_machine_takes_the_objects_that_another_one_compiled(
    world: World, stage_store: StoreServer
) -> None:
    first = build(world, "one")
    assert counts(first) == (0, 0, 2)
    assert first["sent"] > 0
    made = program(world)
    stored = len(stage_store.files)
    forget(world)
    second = build(world, "two")
    assert counts(second) == (0, 2, 0)
    assert second["received"] > 0
    assert "2 of 2 objects from the team's compiler cache" in second["said"]
    assert program(world) == made
    assert len(stage_store.files) == stored
    third = build(world, "three")
    assert counts(third) == (2, 0, 0), "the local cache has them now"
    assert program(world) == made

    asked = len(stage_store.asked)
    own = world.run(*BUILD, "--no-remote-cache")
    assert own.status == 0, own.errors
    assert "build:tool: started" in own.errors, "what has others' objects in it does not count"
    assert len(stage_store.asked) == asked
    assert program(world) == made
    again = world.run(*BUILD, "--no-remote-cache")
    assert "build:tool: started" not in again.errors
    assert build(world, "four", "--no-remote-cache")["local"] == 2, "its own objects"


def test_a_spoilt_store_costs_time_and_no_object(world: World, stage_store: StoreServer) -> None:
    build(world, "one")
    made = program(world)
    for name in stage_store.files:
        path = stage_store.root / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data if name < stage_store.files[-1] else b"<html>sign in</html>")
    forget(world)
    found = build(world, "two")
    assert found["compiled"] + found["remote"] == 2
    assert found["compiled"] >= 1
    assert program(world) == made


def test_without_the_store_everything_is_compiled(world: World, stage_store: StoreServer) -> None:
    world.env[load.CACHE] = "http://127.0.0.1:9/objects/"
    found = build(world, "one")
    assert counts(found) == (0, 0, 2)
    assert 1 <= found["errors"] <= 2, "two compilers may have asked before it was known"
    assert "is not used in this run" in found["said"]
    assert stage_store.asked == []
