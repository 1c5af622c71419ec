"""What a component may say of its build: patches of other sources, needs, differences by base."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.world import PATCH, PROFILE, World

SMALL = ("--profile", "small")

MORE = """
[source.add-ons]
file = "add-ons-1.tar.gz"
locations = [{ url = "file:add-ons-1.tar.gz" }]

[component.user]
package = "user"
version = "1.0"
release = "1"
packages = ["user"]
needs = ["tool"]

[component.user.settings]
mode = "dynamic"

[component.user.base.debian12.settings]
mode = "static"
"""

USER_SPEC = """\
%global debug_package %{nil}
%{!?needs:%global needs /}
Name: {{ component.name }}
Version: {{ component.version }}
Release: {{ component.release }}
Summary: Holds what the other component's program says
License: GPL-2.0-or-later

%description
Built with the other.

%build
%{needs}/tool/usr/bin/tool > said

%install
install -D -m 644 said %{buildroot}/usr/share/user/said-{{ settings.mode }}

%files
/usr/share/user

%changelog
* {{ changelog.date }} {{ changelog.author }}
- {{ changelog.text }}
"""


def _add_ons(world: World, name: str) -> None:
    with tarfile.open(world.project / "add-ons-1.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo(f"add-ons/patches/{name}")
        info.size = len(PATCH)
        tar.addfile(info, io.BytesIO(PATCH.encode()))


def _profile(world: World) -> None:
    text = PROFILE.replace(
        'packages = ["tool"]',
        'packages = ["tool"]\npatches = [{ source = "add-ons", file = "patches/say-two.patch" }]',
    )
    (world.project / "specs/small/profile.toml").write_text(text + MORE)
    (world.project / "specs/small/user.spec.j2").write_text(USER_SPEC)
    world.write_patches()


def _newest(world: World, pattern: str) -> Path:
    """The cache may hold earlier runs' too."""
    return max(world.cache.glob(pattern), key=lambda path: path.stat().st_mtime)


def _listed(rpm: Path) -> list[str]:
    ended = subprocess.run(["rpm", "-qpl", str(rpm)], capture_output=True, text=True, check=True)
    return ended.stdout.split()


def _content(rpm: Path, pattern: str) -> str:
    cpio = subprocess.run(["rpm2cpio", str(rpm)], capture_output=True, check=True).stdout
    ended = subprocess.run(
        ["cpio", "-i", "--to-stdout", "--quiet", pattern],
        input=cpio,
        capture_output=True,
        check=True,
    )
    return ended.stdout.decode()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_a_component_is_built_with_what_it_needs_in_the_manner_of_the_base(small: World) -> None:
    _profile(small)
    _add_ons(small, "say-two.patch")
    ended = small.run("build", "--only", "user", *SMALL)
    assert ended.status == 0, ended.errors
    assert "build:tool: done" in ended.errors
    rpm = _newest(small, "stages/build-user/*/output/rpms/user-1.0-1.*.rpm")
    assert _listed(rpm) == ["/usr/share/user", "/usr/share/user/said-static"]
    assert _content(rpm, "*/said-static") == "two\n"
    source = _newest(small, "stages/build-tool/*/output/srpms/tool-1.0-1.src.rpm")
    assert "say-two.patch" in _listed(source)


def test_a_source_without_its_patch_says_which_it_has(small: World) -> None:
    _profile(small)
    _add_ons(small, "say-three.patch")
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 4
    assert "add-ons-1.tar.gz: it served a tar" in ended.errors
    assert "that lacks patches/say-two.patch; it has patches/say-three.patch" in ended.errors


def test_a_need_in_turn_is_refused_with_its_line(small: World) -> None:
    _profile(small)
    path = small.project / "specs/small/profile.toml"
    text = path.read_text().replace(
        'packages = ["tool"]\n', 'packages = ["tool"]\nneeds = ["user"]\n'
    )
    path.write_text(text)
    line = text.splitlines().index('needs = ["user"]') + 1
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 2
    assert f"small/profile.toml:{line} cannot be used" in ended.errors
    assert "needs it in turn" in ended.errors


def test_two_patches_of_one_name_are_refused(small: World) -> None:
    _profile(small)
    _add_ons(small, "say-two.patch")
    small.write_patches(**{"say-two": PATCH})
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 2
    assert "two patches are called say-two.patch" in ended.errors
