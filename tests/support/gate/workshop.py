"""What the gate is made of, made once: kernel, root file system, and the scripts to run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from builder.commands import produce
from builder.host import flock
from builder.host.removal import remove
from builder.pipeline.stagename import StageKind
from builder.place import Place
from builder.stages.products import TREE
from builder.stages.request import Request
from tests.support.gate import console, guest, keepalived, kernel, root
from tests.support.gate.guest import Plan
from tests.support.gate.kernel import GateKernel

HERE = Path(__file__).parent
CASES = HERE / "cases"
STORMS = HERE / "storms"
SELFTESTS = HERE / "selftests"
"""Cases that run the kernel's own tests, in a guest with ``guest.TIMELESS``: these wait a fixed
moment for each other's programs, and would fail on a busy machine."""
PLANT = HERE / "plant.patch"
FAULTS = ("use-after-free", "inversion", "rcu", "object", "warning")
"""The kinds of ``plant.patch``, each the business of another part of the kernel."""
PROFILE = "lts"
SEED = "LVS_GATE_SEED"
"""Variable of the environment that gives a seed; one is drawn otherwise, and printed."""
LOAD = {"GATE_PACKETS": "100000", "GATE_MESSAGES": "20000"}


def names(folder: Path) -> tuple[str, ...]:
    """The scripts of a folder, in the order in which they are run."""
    return tuple(sorted(path.stem for path in folder.glob("*.sh")))


@dataclass(frozen=True)
class Trees:
    """Prepared source trees."""

    kernel: Path
    ipvsadm: Path
    keepalived: Path


def trees(place: Place) -> Trees:
    """The patched trees of the profile, from the pipeline: patches are applied in no other way."""
    stages = [StageKind.PREP.of(name) for name in ("kernel", "ipvsadm", "keepalived")]
    done = produce.produce(Request(PROFILE, locked=True), produce.exactly(*stages), place)
    return Trees(*(done[stage].path / TREE for stage in stages))


@dataclass(frozen=True)
class Workshop:
    """A kernel and the folder in which guests of it are made."""

    kernel: GateKernel
    ipvsadm: Path
    keepalived: Path
    folder: Path

    def run(self, name: str, plan: Plan) -> console.Heard:
        """Boot a guest that runs ``plan``; its console is ``<folder>/<name>/console.log``."""
        home = self.folder / name
        remove(home, self.folder)
        scripts = [one for kind in (CASES, STORMS, SELFTESTS) for one in sorted(kind.glob("*.sh"))]
        root.make(home / "root", self.kernel, self.ipvsadm, self.keepalived, scripts)
        try:
            return guest.run(self.kernel, home / "root", plan, home)
        finally:
            for left in ("root", "root-ipvsadm", "uml"):
                remove(home / left, home)

    def planted(self) -> Workshop:
        """The same with a kernel that has the faults of ``plant.patch``.

        A guest's ``GATE_MODULE=planted=KIND`` says which of them it is to run into.
        """
        return self.with_modules(self.kernel.tree, "planted", PLANT)

    def with_modules(self, tree: Path, name: str, fault: Path | None = None) -> Workshop:
        """The same with the modules of ``tree``; ``name``: a folder for them."""
        folder = self.folder / name
        remove(folder, self.folder)
        folder.mkdir()
        return replace(self, kernel=kernel.overlay(self.kernel, tree, folder, fault), folder=folder)


def open_workshop(source: Trees, folder: Path, jobs: int = 0) -> Workshop:
    """Build the kernel of ``source`` in ``folder``, as far as it is not built yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with flock.held(folder / "lock"):
        built = kernel.build(source.kernel, folder / "objects", jobs=jobs)
        program = keepalived.build(source.keepalived, folder, jobs)
    return Workshop(built, source.ipvsadm, program, folder)
