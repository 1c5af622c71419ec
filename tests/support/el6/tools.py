"""The specs of el6's tools as they are rendered, and a tarball to build from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.patch import series
from builder.profile.build import BuildPart
from builder.profile.model import Changelog
from builder.rpm import spec
from tests.support.el6 import world

ROOT = Path(__file__).parents[3]
SPECS = ROOT / "specs" / "el6"
KERNEL = "2.6.32-220.23.1.el6.lvs"
TOOLS = {
    "keepalived": "1.2.2",
    "ipvsadm": "1.26",
    "quagga": "0.99.20",
    "lvs-director": "1.0",
}

needs_rpm = pytest.mark.skipif(shutil.which("rpmspec") is None, reason="rpm is not installed")


def run(*words: str | Path, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env=options or None,
    )


def rendered(name: str, linking: str, patches: tuple[str, ...] | None = None) -> str:
    files = sorted(path.name for path in (SPECS / name).iterdir())
    main = () if name == "lvs-director" else (world.TARBALL,)
    own = tuple(patch.name for patch in series.load(ROOT / "patches" / "el6" / name).patches)
    return spec.render(
        SPECS,
        spec.SpecContext(
            part=BuildPart(
                name=name,
                package=name,
                version=TOOLS[name],
                release="1.lvs",
                packages=(name,),
                settings={"linking": linking},
            ),
            releases={"kernel": KERNEL, **{tool: f"{v}-1.lvs" for tool, v in TOOLS.items()}},
            flavour="director",
            sources=(*main, *files),
            patches=own if patches is None else patches,
            changelog=Changelog(date="Mon Nov 23 2026", author="A <a@b.invalid>", text="first"),
        ),
    )


class Tree:
    """An rpmbuild tree with the small world's tarball in SOURCES."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "top"
        self.needs = folder / "needs"
        (self.top / "SOURCES").mkdir(parents=True)
        shutil.copy(world.make_tarball(folder / "world"), self.top / "SOURCES")

    def build(
        self, kind: str, name: str, linking: str = "static"
    ) -> subprocess.CompletedProcess[str]:
        """rpmbuild of a tool; the small world's ipvsadm is not the one that is patched."""
        path = self.top / f"{name}.spec"
        path.write_text(rendered(name, linking, patches=()))
        for file in (SPECS / name).iterdir():
            shutil.copy(file, self.top / "SOURCES")
        defines = {"_topdir": self.top, "needs": self.needs, "_smp_mflags": "%{nil}"}
        words = [word for key, value in defines.items() for word in ("--define", f"{key} {value}")]
        return run("rpmbuild", kind, "--nodeps", *words, path)

    def install(self, name: str) -> None:
        """Unpack the RPMs of a tool where those that need it look."""
        folder = self.needs / name
        folder.mkdir(parents=True)
        for path in self.top.glob(f"RPMS/*/{name}-*.rpm"):
            unpack = f"rpm2cpio '{path}' | cpio -idm --quiet"
            subprocess.run(["sh", "-c", unpack], cwd=folder, check=True)

    def headers(self) -> None:
        header = self.needs / "kernel/usr/src/kernels/built/include/net/ip_vs.h"
        header.parent.mkdir(parents=True)
        header.touch()

    def ask(self, name: str, query: str) -> list[str]:
        (path,) = self.top.glob(f"RPMS/*/{name}-{TOOLS[name]}-1.lvs.*.rpm")
        return run("rpm", "-qp", "--qf", query, path).stdout.splitlines()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)
