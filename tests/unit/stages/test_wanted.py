"""A wanted symbol that the kernel does not have is told before anything is compiled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import UsageError
from builder.host.paths import Cache, Project
from builder.pipeline.stagename import CHECKS, StageKind
from builder.place import Place
from builder.stages.request import Request
from builder.stages.session import Session, open_session
from builder.stages.wanted import require_known
from tests.support.pipeline import known
from tests.world import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("patches", "dockerfiles"):
        (tmp_path / "project" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "project" / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "specs", tmp_path / "project/specs")
    return Project(tmp_path / "project")


@contextmanager
def opened(project: Project, request: Request) -> Iterator[Session]:
    place = Place(project, Cache(project.root.parent / "cache"), Console())
    with (
        known.knowing(place.cache, place.console),
        open_session(request, place, reading=True) as session,
    ):
        yield session


def tree_of(folder: Path, text: str) -> Path:
    """A kernel's tree that has the wanted symbols of a configuration."""
    wanted = [line.partition("=")[0] for line in text.splitlines() if line.startswith("CONFIG_")]
    (folder / "tree/net").mkdir(parents=True)
    lines = [f"\tmenuconfig {one.removeprefix('CONFIG_')}\n\t\tbool\n" for one in wanted]
    (folder / "tree/net/Kconfig.all").write_text("".join(lines))
    return folder / "tree"


def test_a_symbol_of_a_fragment_is_told_with_its_place(project: Project, tmp_path: Path) -> None:
    folder = project.specs / "lts/kernel-config"
    texts = {name: (folder / name).read_text() for name in ("common.config", "vm.config")}
    tree = tree_of(tmp_path, "".join(texts.values()))
    with opened(project, Request("lts", "vm")) as session:
        part = session.setting.build.parts["kernel"]
        require_known(session.setting, part, tree)
        spoilt = texts["vm.config"].replace("CONFIG_SCSI_VIRTIO=m", "CONFIG_SCSI_VIRTOI=m")
        (folder / "vm.config").write_text(f"{spoilt}# CONFIG_NONE_SUCH is not set\n")
        with pytest.raises(UsageError, match="names what this kernel does not have") as caught:
            require_known(session.setting, part, tree)
        line = spoilt.splitlines().index("CONFIG_SCSI_VIRTOI=m") + 1
    assert caught.value.cause == (
        f"specs/lts/kernel-config/vm.config:{line}: CONFIG_SCSI_VIRTOI=m: this kernel has no "
        "symbol CONFIG_SCSI_VIRTOI; did you mean 'CONFIG_SCSI_VIRTIO'?"
    )
    assert caught.value.hint.endswith(f": sed -i {line}d specs/lts/kernel-config/vm.config")


def test_a_symbol_of_a_vendors_configuration_is_told_with_its_key(
    project: Project, tmp_path: Path
) -> None:
    path = project.specs / "el6/profile.toml"
    text = path.read_text()
    spoilt = text.replace('["CONFIG_TOA=m"]', '["CONFIG_TAO=m"]')
    path.write_text(spoilt)
    tree = tree_of(tmp_path, "CONFIG_TOA=m\nCONFIG_IP_VS_TAB_BITS=20\n")
    with opened(project, Request("el6", "realserver", "debian12")) as session:
        part = session.setting.build.parts["kernel"]
        with pytest.raises(UsageError, match="names what this kernel does not have") as caught:
            require_known(session.setting, part, tree)
    line = spoilt.splitlines().index('config-generic = ["CONFIG_TAO=m"]') + 1
    assert caught.value.cause == (
        f"specs/el6/profile.toml:{line}: component.kernel.vendor, config.config-generic: "
        "CONFIG_TAO=m: this kernel has no symbol CONFIG_TAO; did you mean 'CONFIG_TOA'?"
    )


def test_every_kernel_is_checked_before_it_is_built(project: Project) -> None:
    with opened(project, Request("lts")) as session:
        stages = session.stages
        fragments = [one.name for one in stages[CHECKS].inputs() if one.name.startswith("frag")]
    assert CHECKS in stages[StageKind.BUILD.of("kernel")].needs
    assert fragments == [f"fragment:kernel-config/{name}.config" for name in ("common", "director")]
