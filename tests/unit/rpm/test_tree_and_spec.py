"""Trees have the seven macros of the experiment of 2012; templates are strict."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from builder.errors import UsageError
from builder.profile.build import BuildPart
from builder.profile.model import Changelog
from builder.rpm import spec, tree

SEVEN = ["_topdir", "_tmppath", "_sourcedir", "_specdir", "_srcrpmdir", "_rpmdir", "_builddir"]
CONTEXT = spec.SpecContext(
    part=BuildPart(
        name="tool", package="tool-x", version="1.0", release="1.vm", packages=("tool-x",)
    ),
    releases={"tool-x": "1.0-1.vm"},
    flavour="vm",
    sources=("tool-1.0.tar.gz",),
    patches=("0001-a.patch",),
    changelog=Changelog(date="Mon Nov 23 2026", author="A <a@b.invalid>", text="first"),
)


def test_a_tree_has_the_folders_and_the_seven_macros(tmp_path: Path) -> None:
    made = tree.lay(tmp_path / "home")
    assert all((made.top / name).is_dir() for name in tree.FOLDERS)
    lines = (tmp_path / "home" / ".rpmmacros").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [f"%{name}" for name in SEVEN]
    assert lines[0].split()[1] == str(made.top)
    assert lines[-1].split()[1] == str(made.build)


def test_macros_point_to_where_the_tree_is_seen(tmp_path: Path) -> None:
    tree.lay(tmp_path / "home", PurePosixPath("/home/builder"))
    text = (tmp_path / "home" / ".rpmmacros").read_text()
    assert str(tmp_path) not in text
    assert "/home/builder/rpmbuild/SRPMS" in text


def test_laying_a_tree_again_keeps_what_is_in_it(tmp_path: Path) -> None:
    made = tree.lay(tmp_path / "home")
    (made.sources / "kept").write_text("x")
    tree.lay(tmp_path / "home")
    assert (made.sources / "kept").is_file()


def test_a_template_sees_component_release_and_patches(tmp_path: Path) -> None:
    (tmp_path / "tool.spec.j2").write_text(
        "{{ component.name }}-{{ component.version }}-{{ component.release }}"
        " {{ patches[0] }} {{ releases['tool-x'] }} {{ changelog.text }}"
    )
    assert spec.render(tmp_path, CONTEXT) == "tool-x-1.0-1.vm 0001-a.patch 1.0-1.vm first"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ nothing }}", "tool.spec.j2:1 names an unknown variable"),
        ("1\n{% if 1 %}\n{{ component.none }}\n{% endif %}", ":3 names an unknown variable"),
        ("one\ntwo {% if %}", "tool.spec.j2:2 is not a template"),
    ],
)
def test_a_wrong_template_is_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "tool.spec.j2").write_text(text)
    with pytest.raises(UsageError) as caught:
        spec.render(tmp_path, CONTEXT)
    assert what in caught.value.what


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    specs = tmp_path / "specs" / "small"
    specs.mkdir(parents=True)
    with pytest.raises(UsageError, match="no spec template") as caught:
        spec.render(specs, CONTEXT)
    assert caught.value.cause == "there is no file specs/small/tool.spec.j2"


def test_the_users_own_rpmmacros_are_not_touched(tmp_path: Path) -> None:
    own = tmp_path / ".rpmmacros"
    own.write_text("%_topdir /elsewhere\n")
    subprocess.run(
        [
            "python3",
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1]);"
            "from pathlib import Path; from builder.rpm.tree import lay;"
            "lay(Path(sys.argv[2]))",
            str(Path(__file__).parents[3]),
            str(tmp_path / "tree"),
        ],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert own.read_text() == "%_topdir /elsewhere\n"
