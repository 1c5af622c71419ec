"""What the profiles of this repository look for in a source that nothing pins yet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NoReturn

import pytest

from builder.base.model import load_base
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.code import Code
from builder.profile import load
from builder.profile.build import resolve
from builder.rpm.rendered import RenderedSpecs
from builder.stages.setting import Setting
from builder.stages.sources import expected

ROOT = Path(__file__).resolve().parents[3]


def _setting(profile: str, flavour: str, tmp_path: Path) -> Setting:
    project = Project(ROOT)
    loaded = load.load(project.specs, profile)

    def none() -> NoReturn:
        raise AssertionError("nothing is built")

    console = Console(stream=io.StringIO(), interactive=False)
    base = load_base(project.bases / loaded.base, loaded.init)
    build = resolve(loaded, flavour, base)
    known = RenderedSpecs(tmp_path / "specs.json")
    return Setting(build, False, project, Cache(tmp_path), console, none, none, Code(None), known)


@pytest.mark.parametrize(
    ("profile", "flavour", "source", "members", "kernel"),
    [
        (
            "el6",
            "director",
            "lvs",
            {"lvs-2.6.32-220.23.1.el6.patch", "lvs-tools.tar.gz"},
            True,
        ),
        (
            "el6",
            "realserver",
            "lvs",
            {
                "lvs-2.6.32-220.23.1.el6.patch",
                "toa-2.6.32-220.23.1.el6.patch",
                "lvs-tools.tar.gz",
            },
            True,
        ),
        (
            "el6",
            "director",
            "kernel",
            {"kernel.spec", "Module.kabi_x86_64", "linux-2.6.32-220.23.1.el6.tar.bz2"},
            True,
        ),
        ("lts", "vm", "frr", {"configure.ac", "zebra/main.c"}, False),
    ],
)
def test_a_profile_looks_for_what_it_uses(
    tmp_path: Path, profile: str, flavour: str, source: str, members: set[str], *, kernel: bool
) -> None:
    setting = _setting(profile, flavour, tmp_path)
    found = expected(setting, setting.build.sources[source])
    assert (found.members, found.kernel) == (frozenset(members), kernel)


def test_the_kernel_of_lts_is_one(tmp_path: Path) -> None:
    setting = _setting("lts", "vm", tmp_path)
    found = expected(setting, setting.build.sources["kernel"])
    assert found.kernel
    assert "net/netfilter/ipvs/Kconfig" in found.members
