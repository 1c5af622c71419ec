"""The gate by hand: ``python -m tests.support.gate --help``."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from builder.console import Console
from builder.digest import of_text
from builder.errors import BuilderError
from builder.host.paths import find_cache, find_project
from builder.place import Place
from tests.support.gate import workshop
from tests.support.gate.console import Heard
from tests.support.gate.guest import CLOCK, TIMELESS, Plan
from tests.support.gate.workshop import CASES, SELFTESTS, STORMS, Trees, Workshop, names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.support.gate", description=__doc__)
    parser.add_argument("names", nargs="*", help="cases, storms and selftests (default: all)")
    parser.add_argument("--tree", type=Path, help="a kernel tree, instead of the profile's")
    parser.add_argument("--modules", type=Path, help="IPVS alone of this kernel tree instead")
    parser.add_argument("--ipvsadm", type=Path, help="an ipvsadm tree, instead of the profile's")
    parser.add_argument("--keepalived", type=Path, help="a keepalived tree of yours")
    parser.add_argument("--folder", type=Path, help="where it is built and kept")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--seconds", type=float, default=900.0, help="for the whole guest")
    parser.add_argument("--jobs", type=int, default=0)
    return parser.parse_args()


def _trees(kernel: Path | None, ipvsadm: Path | None, keepalived: Path | None) -> Trees:
    if kernel and ipvsadm and keepalived:
        return Trees(kernel.resolve(), ipvsadm.resolve(), keepalived.resolve())
    made = workshop.trees(Place(find_project(), find_cache(), Console()))
    return Trees(
        (kernel or made.kernel).resolve(),
        (ipvsadm or made.ipvsadm).resolve(),
        (keepalived or made.keepalived).resolve(),
    )


def _run(made: Workshop, name: str, plan: Plan) -> bool:
    good = _tell(made.run(name, plan), plan.names)
    print(f"console: {made.folder}/{name}/console.log")
    return good


def _tell(heard: Heard, names: Sequence[str]) -> bool:
    for one in map(heard.outcome, names):
        print(f"{'ok' if one.passed else 'not ok'} {one.name}{one.why and f': {one.why}'}")
    for report in heard.reports:
        print(f"--- the kernel reports\n{report}")
    if heard.fault:
        print(f"--- {heard.fault}")
    return (
        not heard.reports and not heard.fault and all(heard.outcome(name).passed for name in names)
    )


def main() -> int:
    given = _options()
    source = _trees(given.tree, given.ipvsadm, given.keepalived)
    digest = of_text(str(source.kernel))[:8]
    folder = given.folder or Path(tempfile.gettempdir(), f"lvs-gate-{digest}")
    print(f"kernel of {source.kernel}, built in {folder}; seed {given.seed}", flush=True)
    made = workshop.open_workshop(source, folder.resolve(), given.jobs)
    name = f"run-{os.getpid()}"
    if given.modules:
        made = made.with_modules(given.modules.resolve(), name)
    own = names(SELFTESTS)
    chosen = tuple(given.names) or (*names(CASES), *names(STORMS), *own)
    ours = tuple(one for one in chosen if one not in own)
    theirs = tuple(one for one in chosen if one in own)
    variables = {"GATE_SEED": str(given.seed)}
    good = [
        _run(made, f"{name}-{kind}", Plan(which, variables, given.seconds, clock=clock))
        for kind, which, clock in (("guest", ours, CLOCK), ("selftest", theirs, TIMELESS))
        if which
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuilderError as error:
        sys.exit(f"{error.what}\n{error.cause}\n{error.hint}")
