"""What lies in sources/ is looked at in every run, before the cache and before any location."""

from __future__ import annotations

from pathlib import Path

from builder.digest import of_bytes
from tests import world
from tests.world import SOURCE, World


def test_every_command_looks_there(tmp_path: Path) -> None:
    own = world.make(tmp_path / "project", tmp_path / "cache")
    file = own.project / "tool-1.0.tar.gz"
    good, dropin = file.read_bytes(), own.project / "sources" / file.name
    first = own.run("fetch", "--profile", "small")
    assert first.status == 0, first.errors
    assert "first use" in first.errors
    assert "verified: by the digest of its first use on 2" in first.output
    _drop_in_another(own, dropin)
    for words in (("fetch",), ("patch", "--check"), ("tree",)):
        ended = own.run(*words, "--profile", "small")
        assert ended.status == 4, ended.errors
        assert of_bytes(good) in ended.errors
        assert of_bytes(dropin.read_bytes()) in ended.errors
    dropin.write_bytes(good)
    ended = own.run("fetch", "--profile", "small")
    assert ended.status == 0
    assert "from sources/tool-1.0.tar.gz" in ended.output
    assert own.run("patch", "--check", "--profile", "small").status == 0


def _drop_in_another(own: World, place: Path) -> None:
    kept = (own.project / place.name).read_bytes()
    lock = (own.project / "specs/small/sources.lock").read_bytes()
    own.write_source({**SOURCE, "README": "another release\n"})
    place.parent.mkdir(exist_ok=True)
    place.write_bytes((own.project / place.name).read_bytes())
    (own.project / place.name).write_bytes(kept)
    (own.project / "specs/small/sources.lock").write_bytes(lock)
