"""A profile is resolved once: nothing in what comes out depends on a flavour or a base."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from builder.base.model import load_base
from builder.errors import UsageError
from builder.profile import load
from builder.profile.build import Build, BuildPart, resolve
from tests.world import ROOT

# A run's own value is made by its session; a lab's companion is of another profile.
# The last one lists every base, and resolves nothing.
MAY_RESOLVE = {"stages/request.py", "stages/lab.py", "commands/listing.py"}
TABLES = (".variants(", "load_base(", "load_named(", "vendor.resolve(", ".component[", ".flavour[")

PROFILE = """\
summary = "s"
base = "b"
default_flavour = "plain"
target = "target.toml"
install = ["tool"]

[changelog]
date = "Mon Nov 23 2026"
author = "A <a@b.invalid>"
text = "t"

[flavour.plain]
summary = "s"

[flavour.odd]
summary = "s"
suffix = ".odd"
fragments = ["a.config"]

[component.tool]
package = "tool"
version = "1"
release = "2"
source = "tool"
packages = ["tool"]
flavoured = true
settings = { one = "own", two = "own", three = "own" }
patches = [{ source = "tool", file = "x/first.patch" }]

[component.tool.flavour.odd]
settings = { two = "flavour", three = "flavour" }
patches = [{ source = "tool", file = "x/second.patch" }]
series = ["tool-odd"]

[component.tool.base.b]
settings = { three = "base" }
series = ["tool-b"]

[component.tool.vendor]
spec = "tool.spec"
without = ["docs"]
[component.tool.vendor.patches]
tags = "# tags"
apply = "# apply"
[component.tool.vendor.base.b]
with = ["docs"]
[component.tool.vendor.flavour.odd]
defines = { odd = "1" }

[component.other]
package = "other"
version = "1"
release = "2"
packages = ["other"]
bases = ["elsewhere"]

[source.tool]
file = "tool.src.rpm"
locations = [{ url = "file:tool.src.rpm" }]
"""

BASE = """\
name = "internal"
method = "mmdebstrap"
suite = "bookworm"
variant = "minbase"
components = ["main"]
epoch = 0
build = []

[guest.systemd]
packages = []
files = ["guest"]
provides = "provides"
install = ["guest-tool"]
"""


def build(folder: Path, flavour: str) -> Build:
    for name in ("p/kernel-config", "b"):
        (folder / name).mkdir(parents=True)
    (folder / "p" / "profile.toml").write_text(PROFILE)
    (folder / "p" / "target.toml").touch()
    (folder / "p" / "kernel-config" / "a.config").touch()
    (folder / "b" / "base.toml").write_text(BASE)
    return resolve(load.load(folder, "p"), flavour, load_base(folder / "b", "systemd"))


def test_flavour_and_base_are_in_the_value(tmp_path: Path) -> None:
    made = build(tmp_path, "odd")
    part = made.parts["tool"]
    assert part.name == "tool"
    assert part.release == "2.odd"
    assert part.settings == {"one": "own", "two": "flavour", "three": "base"}
    assert [patch.name for patch in part.patches] == ["first.patch", "second.patch"]
    assert part.series == ("tool", "tool-odd", "tool-b")
    assert part.source is made.sources["tool"]
    assert part.vendor is not None
    assert (part.vendor.with_, part.vendor.without) == (("docs",), ())
    assert part.vendor.defines == {"odd": "1"}
    assert made.fragments == ("a.config",)
    assert made.install == ("tool", "guest-tool")
    assert made.base.name == "b"
    assert made.epoch == 1795392000


def test_another_flavour_has_none_of_it(tmp_path: Path) -> None:
    part = build(tmp_path, "plain").parts["tool"]
    assert (part.release, part.series) == ("2", ("tool", "tool-b"))
    assert [patch.name for patch in part.patches] == ["first.patch"]
    assert part.vendor is not None
    assert part.vendor.defines == {}


def test_a_component_of_another_base_is_left_out(tmp_path: Path) -> None:
    assert list(build(tmp_path, "odd").parts) == ["tool"]


def test_what_is_resolved_can_be_compared_and_written(tmp_path: Path) -> None:
    one, other = (build(tmp_path / name, "odd") for name in ("one", "other"))
    assert msgspec.structs.replace(one, base=other.base) == other
    assert all(isinstance(part, BuildPart) for part in one.parts.values())


@pytest.mark.parametrize("table", ["component.tool", "source.tool"])
def test_a_table_s_name_is_not_written_twice(tmp_path: Path, table: str) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "target.toml").touch()
    text = PROFILE.replace(f"[{table}]\n", f'[{table}]\nname = "x"\n')
    (folder / "profile.toml").write_text(text.replace('fragments = ["a.config"]\n', ""))
    with pytest.raises(UsageError) as caught:
        load.load(tmp_path, "p")
    line = text.replace('fragments = ["a.config"]\n', "").splitlines().index('name = "x"') + 1
    assert caught.value.what == f"p/profile.toml:{line} cannot be used"
    assert f"{table}.name" in caught.value.cause


def test_nobody_else_resolves_by_hand() -> None:
    found = {
        str(path.relative_to(ROOT / "builder"))
        for folder in ("stages", "commands", "rpm", "disk", "report", "pipeline", "update")
        for path in (ROOT / "builder" / folder).rglob("*.py")
        if any(words in path.read_text(encoding="utf-8") for words in TABLES)
    }
    assert found - MAY_RESOLVE == set()
