"""The proof that a repository can be installed, made in a container without privileges."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.disk.root import RootInputs, make_folders, root_container
from builder.engine.spec import ContainerSpec, RunContainer
from builder.errors import BuildError
from builder.host import buildlog


class InstallProof(msgspec.Struct, frozen=True):
    """The observations: packages installed by the solver, and deviations; there must be none.

    ``verify``: lines of ``rpm --verify``.  ``leftovers``: paths that removal left (``>``)
    or took away (``<``).  ``scriptlets``: complaints of scriptlets.
    """

    packages: tuple[str, ...]
    verify: tuple[str, ...]
    leftovers: tuple[str, ...]
    scriptlets: tuple[str, ...]


def container(inputs: RootInputs, scratch: Path) -> ContainerSpec:
    """The container that installs everything, verifies it and removes it."""
    return root_container(inputs, scratch, "prove-install.sh")


def prove(inputs: RootInputs, *, scratch: Path, log: Path, run: RunContainer) -> InstallProof:
    """Install everything, verify it, remove it.

    Raises BuildError with the solver's message if something cannot be installed or
    removed, and with the deviation if there is one.
    """
    make_folders(scratch)
    if run(container(inputs, scratch), log) != 0:
        raise BuildError(
            "the repository cannot be installed",
            buildlog.cause(log),
            "the solver names the requirement that nothing provides; the log has the rest",
            log=log,
        )
    out = scratch / "out"
    proof = InstallProof(
        packages=_lines(out / "packages"),
        verify=_lines(out / "verify"),
        leftovers=_lines(out / "leftovers"),
        scriptlets=_lines(out / "scriptlets"),
    )
    for what, lines in (
        ("a scriptlet failed", proof.scriptlets),
        ("rpm finds installed files changed", proof.verify),
        ("removal did not leave the root as it was", proof.leftovers),
    ):
        if lines:
            raise BuildError(
                what, "\n".join(lines[:12]), "fix the spec's %files or scriptlets", log=log
            )
    if not proof.packages:
        raise BuildError("nothing was installed", "the solver chose no package", "", log=log)
    return proof


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())
