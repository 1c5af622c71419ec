"""rpmbuild trees: the folders of ``%_topdir`` and the seven macros that point to them.

The seed document sets these macros in ``~/.rpmmacros``.  Here every tree has a home
folder of its own with such a file, so the user's is neither read nor written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.host.copying import copy_file

FOLDERS = ("BUILD", "RPMS", "SOURCES", "SPECS", "SRPMS", "tmp")
TOP = "rpmbuild"
MACROS = (
    ("_topdir", ""),
    ("_tmppath", "tmp"),
    ("_sourcedir", "SOURCES"),
    ("_specdir", "SPECS"),
    ("_srcrpmdir", "SRPMS"),
    ("_rpmdir", "RPMS"),
    ("_builddir", "BUILD"),
)


@dataclass(frozen=True)
class RpmTree:
    """A home folder with ``.rpmmacros`` and the tree ``rpmbuild/`` below it."""

    home: Path

    @property
    def top(self) -> Path:
        return self.home / TOP

    @property
    def sources(self) -> Path:
        return self.top / "SOURCES"

    @property
    def specs(self) -> Path:
        return self.top / "SPECS"

    @property
    def build(self) -> Path:
        return self.top / "BUILD"

    @property
    def rpms(self) -> Path:
        return self.top / "RPMS"

    @property
    def srpms(self) -> Path:
        return self.top / "SRPMS"


def macros(top: PurePosixPath) -> str:
    """The text of ``.rpmmacros`` for a tree that its users see at ``top``."""
    width = max(len(name) for name, _ in MACROS)
    return "".join(f"%{name:<{width}} {top / folder}\n" for name, folder in MACROS)


def lay(home: Path, seen_at: PurePosixPath | None = None) -> RpmTree:
    """Make the tree below ``home``.

    ``seen_at``: the path of ``home`` for those who build in it, if it is another one (in
    a container).  What is there already is left alone.
    """
    tree = RpmTree(home)
    for name in FOLDERS:
        (tree.top / name).mkdir(parents=True, exist_ok=True)
    top = (seen_at or PurePosixPath(home)) / TOP
    (home / ".rpmmacros").write_text(macros(top), encoding="utf-8")
    return tree


def fill_sources(target: Path, files: tuple[Path, ...]) -> None:
    """Put copies of files into a SOURCES folder, for the container's user and people who edit.

    Never links: they would lead into the cache and the checkout, and have those files' modes.
    """
    for path in files:
        copy_file(path, target / path.name)


def write_spec(path: Path, text: str) -> None:
    """Write a spec with its bytes as read: old vendors' changelogs mix encodings."""
    path.write_text(text, "utf-8", "surrogateescape")
