"""Every guest's root has what a disk image is made of, whatever its base."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.base.model import load_base
from tests.world import ROOT

BASES = ROOT / "dockerfiles"
GUESTS = [
    (base.name, init)
    for base in sorted(BASES.iterdir())
    if (base / "base.toml").exists()
    for init in sorted(load_base(base).settings.guest)
]


def _files(base: str, init: str) -> dict[str, Path]:
    """What is copied into the root, by its place there."""
    folders = [BASES / base / one for one in load_base(BASES / base, init).guest.files]
    return {
        str(path.relative_to(folder)): path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(("base", "init"), GUESTS)
def test_a_guest_has_the_files_that_are_asked_for_by_name(base: str, init: str) -> None:
    """docs/explanation/profiles.md: guest roots of a base."""
    files = _files(base, init)
    assert "console=ttyS0" in files["etc/kernel/cmdline"].read_text()
    (root,) = [line for line in files["etc/fstab"].read_text().splitlines() if " / " in line]
    assert root.startswith("UUID=")
    finish = files["usr/lib/director/finish-root"]
    assert finish.stat().st_mode & 0o111


@pytest.mark.parametrize(("base", "init"), GUESTS)
def test_a_guest_starts_the_self_test_of_a_disk_with_that_label(base: str, init: str) -> None:
    starters = [path for name, path in _files(base, init).items() if "selftest" in name]
    assert starters
    assert any("/run/selftest" in path.read_text() for path in starters)


@pytest.mark.parametrize("base", sorted({base for base, init in GUESTS if init == "sysv"}))
def test_kernel_devel_and_perf_are_tried_on_a_kernel_of_their_age(base: str) -> None:
    loaded = load_base(BASES / base, "sysv")
    assert {"kernel-devel", "perf"} <= set(loaded.guest.install)
    compiled = {"gcc", "make"} <= set(loaded.guest_packages)
    # No program of a current glibc starts there: then by kernel-devel's own programs alone.
    assert compiled == (loaded.settings.method == "yum")
