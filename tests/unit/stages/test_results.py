"""What the repository and the disk image are made of."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NoReturn

from builder.base.model import load_base
from builder.console import Console
from builder.digest import Digest
from builder.host.paths import Cache, find_project
from builder.pipeline.code import Code
from builder.pipeline.stage import Done, Manifest
from builder.profile import load
from builder.profile.build import resolve
from builder.rpm.rendered import RenderedSpecs
from builder.stages import results
from builder.stages.image import ReadyImage
from builder.stages.products import RPMS
from builder.stages.setting import Setting


def none() -> NoReturn:
    raise AssertionError("nothing is built")


def setting(tmp_path: Path, base: str) -> Setting:
    project = find_project()
    loaded = load.load(project.specs, "el6")
    found = load_base(project.bases / base, loaded.init)
    build = resolve(loaded, loaded.default_flavour, found)
    console = Console(stream=io.StringIO(), interactive=False)
    known = RenderedSpecs(tmp_path / "specs.json")
    return Setting(build, False, project, Cache(tmp_path), console, none, none, Code(None), known)


def done(stage: str, path: Path) -> Done:
    digest = Digest("0" * 64)
    return Done(stage, digest, path, False, Manifest(stage, digest, {}, (), digest, 0.0, 0.0))


def test_what_is_for_the_guest_alone_is_in_the_image_and_not_published(tmp_path: Path) -> None:
    chosen = setting(tmp_path, "debian12")
    needs = {}
    for name, part in chosen.build.parts.items():
        made = tmp_path / name / RPMS / f"{part.packages[0]}-1.rpm"
        made.parent.mkdir(parents=True)
        made.write_text("")
        needs[f"build:{name}"] = done(f"build:{name}", tmp_path / name)
    published = {path.name for path in results.published(chosen, needs)}
    assert {"kernel-1.rpm", "ipvsadm-1.rpm", "lvs-director-1.rpm"} <= published
    assert "lvs-busybox-1.rpm" not in published
    for stage in (
        results.repo_stage(chosen, ReadyImage(chosen)),
        results.vm_stage(chosen, ReadyImage(chosen)),
    ):
        assert "build:busybox" in stage.needs


def test_a_base_whose_own_programs_start_needs_nothing_of_the_kind(tmp_path: Path) -> None:
    chosen = setting(tmp_path, "centos6")
    assert "build:busybox" not in results.vm_stage(chosen, ReadyImage(chosen)).needs
