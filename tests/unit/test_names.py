"""A name has one form and must exist, wherever it comes from, before it is part of a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import names
from builder.base.model import load_base
from builder.errors import UsageError
from builder.host.paths import Project
from builder.lab import catalogue
from builder.profile import load
from tests.support.hostile import HOSTILE
from tests.world import PROFILE, ROOT


def profile_of(tmp_path: Path, old: str, new: str) -> None:
    assert old in PROFILE
    specs = tmp_path / "specs"
    (specs / "p").mkdir(parents=True)
    (specs / "p" / "profile.toml").write_text(PROFILE.replace(old, new))
    load.load(specs, "p")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[component.tool]", '[component."../tool"]'),
        ("[component.tool]", '[component."to/ol"]'),
        ("[component.tool]", '[component.""]'),
        ("[component.tool]", '[component."tool\\n"]'),
        ("[flavour.vm]", '[flavour.".."]'),
        ("[source.tool]", '[source."/etc"]'),
        ('base = "debian12"', 'base = "../debian12"'),
        ('default_flavour = "vm"', 'default_flavour = "../vm"'),
        ('target = "target.toml"', 'target = "../../target.toml"'),
        ("fragments = []", 'fragments = ["../../x"]'),
        ('package = "tool"', 'package = "../tool"'),
        ('source = "tool"', 'source = "../tool"'),
        ('file = "tool-1.0.tar.gz"', 'file = "../tool-1.0.tar.gz"'),
        ("[source.tool]", '[component.tool.base.".."]\n[source.tool]'),
        ("[source.tool]", '[component.tool.flavour."v/m"]\n[source.tool]'),
        ("[source.tool]", '[component.tool.flavour.vm]\nseries = ["../x"]\n[source.tool]'),
        ('release = "1"', 'release = "1"\nneeds = ["../tool"]'),
        ('release = "1"', 'release = "1"\nbases = ["../x"]'),
    ],
)
def test_a_profile_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(tmp_path, old, new)
    assert caught.value.what.startswith("specs/p/profile.toml:")
    assert "name" in caught.value.cause
    assert "regex" not in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new", "nearest"),
    [
        ('default_flavour = "vm"', 'default_flavour = "vn"', "vm"),
        ('source = "tool"', 'source = "tol"', "tool"),
        ("[source.tool]", "[component.tool.flavour.vmm]\n[source.tool]", "vm"),
    ],
)
def test_a_profile_s_references_exist(tmp_path: Path, old: str, new: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(tmp_path, old, new)
    assert f"did you mean {nearest!r}?" in caught.value.cause


def test_a_base_s_names_are_names(tmp_path: Path) -> None:
    text = (ROOT / "dockerfiles" / "debian12" / "base.toml").read_text()
    for old, new in (('name = "debian12"', 'name = "../x"'), ("[guest.sysv]", '[guest."../x"]')):
        assert old in text
        (tmp_path / "base.toml").write_text(text.replace(old, new))
        with pytest.raises(UsageError) as caught:
            load_base(tmp_path)
        assert names.RULE in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('topology = "seed"', 'topology = "../seed"'),
        ('name = "toa-off"', 'name = "../toa-off"'),
    ],
)
def test_a_scenario_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    text = (catalogue.SCENARIOS / "fullnat.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        catalogue.load("mine", tmp_path)
    assert names.RULE in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new"), [("[host.web1]", '[host."../web1"]'), ("[link.inner]", '[link."in/ner"]')]
)
def test_a_topology_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    text = (catalogue.TOPOLOGIES / "seed.toml").read_text()
    assert old in text
    (tmp_path / "seed.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        catalogue.load("fullnat", topologies=tmp_path)
    assert names.RULE in caught.value.cause


@pytest.mark.parametrize("name", HOSTILE)
def test_the_artifacts_of_no_profile_have_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Project(tmp_path).artifacts(name)


@pytest.mark.parametrize("name", ["lts", "lts-x", "el6", "0", "a.b_c-d", "x" * names.LONGEST])
def test_what_is_a_name(name: str) -> None:
    assert names.is_name(name)


def test_a_stage_has_a_kind_and_a_name() -> None:
    assert names.is_stage("smoke")
    assert names.is_stage("build:lvs-director")
    assert not any(map(names.is_stage, ("build:", ":x", "a:b:c", "build:../x", "build:x\n")))
