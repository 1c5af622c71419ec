"""Builds of the small profile that compile anew, and what came of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.configuration.places import VARIABLE
from builder.host.paths import Cache
from builder.host.removal import remove
from tests.world import SPEC, World


def forget(world: World) -> None:
    """As on a fresh machine: it has no object."""
    cache = Cache(world.cache)
    for folder in (cache.ccache, cache.ccache_shared, cache.ccache_workers):
        remove(folder, cache.root)


@contextmanager
def without_objects(
    world: World, folder: Path, files: Mapping[str, str], compare: float
) -> Iterator[World]:
    """A machine without an object of its own, whose tool is made of ``files``.

    ``folder``: for its configuration.  ``compare``: the share of workers' objects.
    """
    configuration = folder / "config.toml"
    configuration.write_text(f"[workers]\ncompare = {compare}\n")
    world.env |= {VARIABLE: str(configuration)}
    world.write_source(files)
    world.write_patches()
    world.write_spec(SPEC)
    forget(world)
    yield world
    forget(world)


def build_anew(world: World, note: str, *words: str) -> dict[str, Any]:
    """Run a build with a spec that differs in a note: the stage's facts, and what was said."""
    spec = world.project / "specs/small/tool.spec.j2"
    spec.write_text(spec.read_text().replace("\nA tiny tool", f"\nA tiny tool. {note}", 1))
    ended = world.run(*words)
    assert ended.status == 0, ended.errors
    made = json.loads((world.project / "artifacts/small/build.json").read_text())
    (stage,) = (one for one in made["stages"] if one["name"] == "build:tool")
    assert not stage["hit"], ended.errors
    found: dict[str, Any] = stage["facts"]
    return found | {"said": ended.errors}


def program(world: World) -> bytes:
    """The program in the newest RPM."""
    rpm = max(world.rpms(), key=lambda path: path.stat().st_mtime)
    unpacked = subprocess.run(["rpm2cpio", rpm], capture_output=True, check=True).stdout
    argv = ["cpio", "--quiet", "-i", "--to-stdout", "./usr/bin/tool"]
    return subprocess.run(argv, input=unpacked, capture_output=True, check=True).stdout
