"""A yum repository of the RPMs that were built."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from builder.rpm.library import createrepo_c

PACKAGES = "packages"
SOURCE_PACKAGES = "source"
REPO_ID = "lvs-fullnat"
PRIORITY = 10
_TIMESTAMP = re.compile(r"<timestamp>\d+</timestamp>")  # when a file was written


@dataclass(frozen=True)
class Repository:
    """Where the repository lies; ``root`` has repodata and the ``.repo`` file."""

    root: Path
    packages: tuple[Path, ...]
    source_packages: tuple[Path, ...]


def repo_file(profile: str) -> str:
    """The ``.repo`` file that operators put into ``/etc/yum.repos.d``.

    The RPMs are not signed: whoever publishes the repository signs it with a key of
    their own, and turns gpgcheck on.  ``priority``: dnf.conf(5); a distribution has
    packages of the same names, newer ones as well, which lvs-director cannot work with.
    """
    return (
        f"# LVS FULLNAT director, profile {profile}.  Set baseurl to where this folder is\n"
        "# published.  The RPMs are not signed; sign them with your own key (rpmsign) and\n"
        "# turn gpgcheck on before you serve them to others.\n"
        f"[{REPO_ID}]\n"
        f"name=LVS FULLNAT director ({profile})\n"
        f"baseurl=file:///srv/{REPO_ID}/\n"
        "enabled=1\n"
        "# ipvsadm, keepalived and the routing daemons come from here, not from the distribution,\n"
        "# which may have newer ones without FULLNAT.  The default is 99; the lowest number wins.\n"
        f"priority={PRIORITY}\n"
        "gpgcheck=0\n"
        "metadata_expire=1h\n"
    )


def make(
    target: Path,
    profile: str,
    binary: tuple[Path, ...],
    source: tuple[Path, ...],
    revision: int,
) -> Repository:
    """Copy the RPMs into ``target`` and write the repository's metadata with createrepo_c.

    ``revision``: seconds since the epoch, the repository's revision and its files' time, so that
    equal RPMs give an equal repository.  Source RPMs are in a repository of their own in
    ``target/source``.
    """
    packages = _fill(target / PACKAGES, binary, revision)
    sources = _fill(target / SOURCE_PACKAGES, source, revision)
    _write_metadata(target, packages, revision)
    _write_metadata(target / SOURCE_PACKAGES, sources, revision)
    (target / f"{REPO_ID}.repo").write_text(repo_file(profile), encoding="utf-8")
    return Repository(target, packages, sources)


def _fill(folder: Path, files: tuple[Path, ...], revision: int) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for path in sorted(files, key=lambda entry: entry.name):
        copy = folder / path.name
        shutil.copyfile(path, copy)
        os.utime(copy, (revision, revision))
        copies.append(copy)
    return tuple(copies)


def _write_metadata(root: Path, packages: tuple[Path, ...], revision: int) -> None:
    writer = createrepo_c.RepositoryWriter(
        root, num_packages=len(packages), compression=createrepo_c.GZ_COMPRESSION
    )
    writer.repomd.set_revision(str(revision))
    for path in packages:
        writer.add_pkg_from_file(str(path))
    writer.finish()
    index = root / "repodata" / "repomd.xml"
    index.write_text(
        _TIMESTAMP.sub(f"<timestamp>{revision}</timestamp>", index.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
