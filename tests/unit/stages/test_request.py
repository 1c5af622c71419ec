"""What a command asks for is checked before anything runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.host.paths import Project
from builder.profile import load, references
from builder.stages.request import Request, choose
from tests.world import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("specs", "dockerfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "patches", tmp_path / "patches")
    return Project(tmp_path)


@pytest.mark.parametrize("profile", ["lts", "el6"])
def test_every_folder_of_patches_is_a_components_or_a_bases(project: Project, profile: str) -> None:
    assert choose(project, Request(profile)).profile == profile


def test_patches_of_no_component_are_refused(project: Project) -> None:
    (project.patches / "lts" / ".git").mkdir()
    (project.patches / "lts" / "README").touch()
    assert choose(project, Request("lts")).profile == "lts"
    shutil.move(project.patches / "lts" / "ipvsadm", project.patches / "lts" / "ipvsdm")
    with pytest.raises(UsageError, match="would never be applied") as caught:
        choose(project, Request("lts"))
    assert "no component 'ipvsdm'" in caught.value.cause
    assert "did you mean 'ipvsadm'?" in caught.value.cause


REFERENCES = [
    ("lts", 'base = "debian12"', 'base = "debain12"', "base names 'debain12'", "debian12"),
    ("el6", 'bases = ["debian12"]', 'bases = ["debain12"]', "component.busybox.bases", "debian12"),
    (
        *("el6", "[component.kernel.base.debian12]", "[component.kernel.base.debain12]"),
        *("component.kernel.base names 'debain12', which is not a folder of docker", "debian12"),
    ),
    (
        *("el6", "[component.kernel.vendor.base.debian12]", "[component.kernel.vendor.base.debia]"),
        *("component.kernel.vendor.base names 'debia'", "debian12"),
    ),
    (
        *("el6", '["kernel-modern-toolchain"]', '["kernel-modern-toolchian"]'),
        "names 'kernel-modern-toolchian', which is not a folder of patches/el6/",
        "kernel-modern-toolchain",
    ),
    (
        *("el6", 'patch = "0001-ipvs-translate-all-', 'patch = "0001-ipvs-translate-al-'),
        "component.kernel.fixes[0].patch names '0001-ipvs-translate-al-",
        "0001-ipvs-translate-all-of-a-SACK-option-and-nothing-behi.patch",
    ),
    (
        *("el6", 'install = ["lvs-director"]', 'install = ["lvs-directer"]'),
        *("install names 'lvs-directer', which is in packages of no component", "lvs-director"),
    ),
    ("el6", '\ngro = "', '\ngros = "', "lab.unsupported names 'gros', which is neither", "gro"),
    ("el6", '\ngro = "', '\ntoa-frist = "', "lab.unsupported names 'toa-frist'", "toa-first"),
    (
        *(
            "el6",
            "[component.kernel.vendor.flavour.realserver]",
            "[component.kernel.vendor.flavour.r]",
        ),
        *("component kernel names flavour 'r', which has no table", ""),
    ),
    ("lts", 'component = "ipvsadm"', 'component = "ipvsdm"', "a layout check names", "ipvsadm"),
    ("lts", '"target-el9.toml"', '"target-el8.toml"', "target names target-el8", "target-el9.toml"),
    (
        "lts",
        'signed_by = [\n    { key = "keys/gregkh.asc',
        'signed_by = [\n    { key = "keys/gerghk.asc',
        "which does not exist",
        "keys/gregkh.asc",
    ),
]


@pytest.mark.parametrize(("profile", "old", "new", "words", "near"), REFERENCES)
def test_a_name_of_nothing_in_a_profile_is_told_with_its_line(
    project: Project, profile: str, old: str, new: str, words: str, near: str
) -> None:
    project.specs.unlink()
    shutil.copytree(ROOT / "specs", project.specs)
    path = project.specs / profile / "profile.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    line = text[: text.index(old.removeprefix("\n")) + 1].count("\n") + 1
    with pytest.raises(UsageError) as caught:
        choose(project, Request(profile))
    assert caught.value.what == f"specs/{profile}/profile.toml:{line} cannot be used"
    assert words in caught.value.cause
    assert not near or caught.value.cause.endswith(f"; did you mean {near!r}?")
    assert "--base" not in caught.value.hint


VERSIONS = [
    (
        *('version = "6.1.192"', 'version = "6.1.193"'),
        "component.kernel.version: '6.1.193' is not the version of what is pinned, 6.1.192-2 of "
        "kernel, as specs/lts/sources.lock has it",
        'write version = "6.1.192"',
    ),
    (
        *('version = "2.2.7"', 'version = "2.2.8"'),
        *("component.keepalived.version: '2.2.8' is not", 'write version = "2.2.7"'),
    ),
    (
        *("linux-source-6.1=6.1.192-2", "linux-source-6.1=6.1.193-1"),
        "source.kernel.locations[0].url: '6.1.193-1' is not the version of what is pinned",
        'write "apt:linux-source-6.1=6.1.192-2"',
    ),
]


@pytest.mark.parametrize(("old", "new", "words", "hint"), VERSIONS)
def test_a_version_that_is_not_the_pinned_one_is_told_before_anything_is_fetched(
    project: Project, old: str, new: str, words: str, hint: str
) -> None:
    project.specs.unlink()
    shutil.copytree(ROOT / "specs", project.specs)
    path = project.specs / "lts/profile.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        choose(project, Request("lts"))
    assert caught.value.what.startswith("specs/lts/profile.toml:")
    assert words in caught.value.cause
    assert caught.value.hint.startswith(hint)
    assert "invoke update " in caught.value.hint
    assert choose(project, Request("lts", update=True)), "which pins anew"
    path.with_name("sources.lock").unlink()
    assert choose(project, Request("lts")), "nothing is pinned"


def test_another_revision_of_the_pinned_version_may_be_named(project: Project) -> None:
    project.specs.unlink()
    shutil.copytree(ROOT / "specs", project.specs)
    path = project.specs / "lts/profile.toml"
    path.write_text(path.read_text().replace("=6.1.192-2", "=6.1.192-1"))
    assert choose(project, Request("lts"))


def test_a_base_that_the_option_names_is_told_as_the_options(project: Project) -> None:
    with pytest.raises(UsageError, match="there is no base 'debain12'") as caught:
        choose(project, Request("lts", base="debain12"))
    assert caught.value.cause == "--base names a folder of dockerfiles/"


def test_a_base_with_anothers_name_is_refused(project: Project) -> None:
    project.bases.unlink()
    shutil.copytree(ROOT / "dockerfiles/debian12", project.bases / "debian13")
    with pytest.raises(UsageError, match="'debian12' is not the name of the folder") as caught:
        choose(project, Request("lts", base="debian13"))
    assert caught.value.what.startswith("dockerfiles/debian13/base.toml:")


def test_a_companion_of_no_profile_is_told_with_its_line(project: Project) -> None:
    profile = load.load(project.specs, "el6")
    assert references.companion_of(project, profile.name, "lts") == "lts"
    with pytest.raises(UsageError, match="cannot be used") as caught:
        references.companion_of(project, profile.name, "ltss")
    lines = (project.specs / "el6/profile.toml").read_text().splitlines()
    line = lines.index('companion = "lts"') + 1
    assert caught.value.what == f"specs/el6/profile.toml:{line} cannot be used"
    assert caught.value.cause == "companion names 'ltss', which does not exist; did you mean 'lts'?"
