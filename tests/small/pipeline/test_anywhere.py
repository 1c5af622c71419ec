"""Keys are the same on every machine: otherwise none finds in a store what another one has made."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from builder.configuration import load
from builder.configuration.places import VARIABLE
from tests.support.remote import keys
from tests.support.remote.store import USER, StoreServer
from tests.world import World, copy

pytestmark = pytest.mark.engine
BUILD = ("build", "--profile", "small", "--only", "tool")


def built(world: World, *options: str) -> dict[str, tuple[str, bool]]:
    """Of each stage the key, and whether another machine has made it."""
    ended = world.run(*BUILD, *options)
    assert ended.status == 0, ended.errors
    record = json.loads((world.project / "artifacts/small/build.json").read_text())
    return {one["name"]: (one["key"], bool(one["provenance"])) for one in record["stages"]}


def test_a_checkout_and_a_cache_elsewhere_take_what_was_made_here(
    small: World, stage_store: StoreServer, tmp_path: Path
) -> None:
    pair = keys.make(tmp_path / "keys")
    configuration = tmp_path / "config.toml"
    text = f'[stages]\nstore = "{stage_store.url}"\naccept = ["{pair.line}"]\n'
    writing = f'mode = "read-write"\nsign = "{pair.path}"\n'
    small.env |= {VARIABLE: str(configuration), load.TOKEN: USER}
    configuration.write_text(text + writing)
    here = built(small)

    other = World(tmp_path / "somewhere" / "else", tmp_path / "another-cache")
    other.env |= {VARIABLE: str(configuration)}
    copy(small.project, other.project)
    shutil.rmtree(other.project / "artifacts")
    shutil.copytree(
        small.cache,
        other.cache,
        symlinks=True,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("engine", "scratch"),
    )
    for stage in ("unpack-tool", "prep-tool", "build-tool"):
        shutil.rmtree(other.cache / "stages" / stage)
    configuration.write_text(text)
    there = built(other)
    assert {name: key for name, (key, _) in there.items()} == {
        name: key for name, (key, _) in here.items()
    }
    assert there["build:tool"][1], "it came from the store"
    assert not there["prep:tool"][1], "it was made there"
