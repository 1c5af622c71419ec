"""Two builds of the same sources give the same bytes, whoever builds them, where and when."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from builder.kernel import vendor
from builder.rpm.build import SCRIPT
from builder.rpm.tree import RpmTree, lay
from tests.small.el6.test_world import AMENDED, SWITCHES
from tests.support.el6 import world
from tests.support.el6.tools import SPECS, TOOLS, rendered
from tests.support.el6.world import DATA, LVS_PATCH

pytestmark = [pytest.mark.rpmbuild, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Machine:
    """A place to build: its folder, its name, the number of its user, its clock's zone.

    ``seen``: where a build sees its home, as in the builder's containers, wherever that is.
    """

    folder: Path
    seen: Path
    name: str
    user: int
    zone: str

    def build(self, tarball: Path) -> dict[str, str]:
        """All of el6's RPMs and source RPMs, by name with their digests."""
        self._kernel()
        for name in TOOLS:
            tree = self._tree(name)
            (tree.specs / f"{name}.spec").write_text(rendered(name, "static", patches=()))
            for file in (SPECS / name).iterdir():
                shutil.copy(file, tree.sources)
            shutil.copy(tarball, tree.sources)
            self._rpmbuild(tree, name, ("kernel", "keepalived"))
        made = [*self.folder.rglob("RPMS/**/*.rpm"), *self.folder.rglob("SRPMS/*.rpm")]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}

    def _tree(self, name: str) -> RpmTree:
        home = self.folder / "builds" / name / "home"
        home.mkdir(parents=True)
        return lay(home, PurePosixPath(self.seen))

    def _kernel(self) -> None:
        tree = self._tree("kernel")
        sources = world.make_sources(self.folder / "sources")
        (sources / LVS_PATCH).write_bytes((DATA / "lvs.patch").read_bytes())
        additions = vendor.resolve(AMENDED, "", "")
        spec = sources / "kernel.spec"
        spec.write_text(vendor.amend_spec(spec.read_text(), additions, (LVS_PATCH,)))
        generic = sources / "config-generic"
        wanted = additions.config["config-generic"]
        generic.write_text(vendor.amend_config(generic.read_text(), wanted, generic.name))
        shutil.copytree(sources, tree.sources, dirs_exist_ok=True)
        spec.rename(tree.specs / "kernel.spec")
        options = ("--target", "x86_64", "--define", "_buildshell /bin/bash")
        self._rpmbuild(tree, "kernel", (), *options, *SWITCHES, "--without", "kabichk")

    def _rpmbuild(self, tree: RpmTree, name: str, needs: Iterable[str], *options: str) -> None:
        """As the builder's container runs it, with the container's folders below ``root``."""
        root = tree.home.parent / "root"
        script = root / "usr/local/bin/build-rpms"
        for made in (script.parent, root / "jobs", root / "needs"):
            made.mkdir(parents=True)
        shutil.copy(SCRIPT, script)
        os.mkfifo(root / "jobs/tokens")
        for need in needs:
            found = self.folder.glob(f"builds/{need}/home/rpmbuild/RPMS/**/*.rpm")
            for rpm in found if need != name else ():
                (root / "needs" / need).mkdir(exist_ok=True)
                shutil.copy(rpm, root / "needs" / need)
        spec = self.seen / tree.specs.relative_to(tree.home) / f"{name}.spec"
        ended = subprocess.run(
            self._as_another(tree.home, ("sh", str(script), str(spec), *options)),
            env={**os.environ, "HOME": str(self.seen), "TZ": self.zone, "LC_ALL": "C.UTF-8"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]

    def _as_another(self, home: Path, words: tuple[str, ...]) -> list[str]:
        """Another user, on a machine of another name, with ``home`` in its place."""
        for folder, folders, files in os.walk(home.parent):
            for entry in (folder, *(f"{folder}/{one}" for one in (*folders, *files))):
                os.lchown(entry, self.user, self.user)
        script = f'mount --bind "{home}" "{self.seen}" && hostname {self.name} && exec "$@"'
        own = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return ["unshare", "--uts", "--mount", "sh", "-c", script, "sh", "setpriv", *own, *words]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that all users may enter; pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two others on two machines")
def test_el6_built_twice_gives_the_same_bytes(open_folder: Path) -> None:
    seen = open_folder / "builder"
    seen.mkdir()
    tarball = world.make_tarball(open_folder / "tarball")
    here = Machine(open_folder / "here", seen, "first", 61001, "UTC")
    there = Machine(open_folder / "another/place", seen, "second", 61002, "Asia/Tokyo")
    first = here.build(tarball)
    time.sleep(1.1)
    second = there.build(tarball)
    assert len(first) == 6 + 2 * len(TOOLS) + 1, sorted(first)
    differing = {name for name in first if first[name] != second.get(name)}
    assert not differing
