"""Builds the gate's kernel out of a tree, beside it: the tree itself is never written to."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuildError, UsageError
from builder.host import process
from tests.support.gate import background

HERE = Path(__file__).parent
FRAGMENT = HERE / "kernel.config"
IPVS = Path("net/netfilter/ipvs")
HEADERS = (Path("include/net/ip_vs.h"), Path("include/uapi/linux/ip_vs.h"))
SELFTEST = Path("tools/testing/selftests/netfilter/ipvs.sh")
"""The kernel's own test of IPVS, in a tree."""
ERROR = re.compile(r"^.*(?:error|Error|undefined reference).*$", re.MULTILINE)


@dataclass(frozen=True)
class GateKernel:
    """A built kernel.  ``program`` is run like any other; ``modules`` are its ``*.ko`` files.

    ``overlaid``: the tree that its IPVS is from, if not ``tree``.
    """

    tree: Path
    objects: Path
    release: str
    modules: tuple[Path, ...]
    overlaid: Path | None = None

    @property
    def program(self) -> Path:
        return self.objects / "vmlinux"

    @property
    def selftest(self) -> Path:
        return (self.overlaid or self.tree) / SELFTEST


def options(text: str) -> tuple[str, ...]:
    """The lines of a configuration that set something."""
    return tuple(line for line in text.splitlines() if line.startswith("CONFIG_"))


def missing(wanted: str, resulting: str) -> tuple[str, ...]:
    """Options that were asked for and are not in the resulting ``.config`` as they were asked."""
    present = set(options(resulting))
    return tuple(line for line in options(wanted) if line not in present)


def build(tree: Path, objects: Path, *, fragment: Path = FRAGMENT, jobs: int = 0) -> GateKernel:
    """Configure and compile ``tree`` into ``objects``; what is built already is not built again.

    Raises UsageError if Kconfig dropped an option of ``fragment``, BuildError if a file does not
    compile.
    """
    configure(tree, objects, fragment)
    _make(tree, objects, "vmlinux", "modules", jobs=jobs)
    release = (objects / "include/config/kernel.release").read_text().strip()
    return GateKernel(tree, objects, release, tuple(sorted(objects.rglob("*.ko"))))


def configure(tree: Path, objects: Path, fragment: Path = FRAGMENT) -> None:
    """Write ``.config`` and hold it against ``fragment``.  Raises UsageError for what is gone."""
    objects.mkdir(parents=True, exist_ok=True)
    before = _text(objects / ".config")
    kept = (objects / ".config").stat() if before else None
    _make(tree, objects, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
    after = _text(objects / ".config")
    if kept and after == before:  # else make takes it for new
        os.utime(objects / ".config", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    gone = missing(fragment.read_text(encoding="utf-8"), after)
    if gone:
        raise UsageError(
            f"the gate's kernel has not what {fragment.name} asks for",
            "Kconfig dropped: " + ", ".join(gone),
            f"see what the option depends on in {tree}, and add that to {fragment}",
        )


def overlay(kernel: GateKernel, tree: Path, scratch: Path, fault: Path | None = None) -> GateKernel:
    """The same kernel with the modules of another tree, which alone are compiled.

    Of ``tree`` count ``net/netfilter/ipvs`` and IPVS's own headers.  ``fault``: a patch of
    that folder, applied to the copy in ``scratch`` that is compiled.
    """
    source = scratch / "modules"
    shutil.copytree(tree / IPVS, source, copy_function=shutil.copyfile)
    for header in HEADERS:
        (source / header).parent.mkdir(parents=True)
        shutil.copyfile(tree / header, source / header)
    for path in (source, *source.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with (source / "Makefile").open("a", encoding="utf-8") as makefile:
        makefile.write("NOSTDINC_FLAGS += -I$(src)/include/uapi -I$(src)/include\n")
    if fault is not None:
        _apply(fault, source)
    _make(kernel.tree, kernel.objects, f"M={source}", "modules")
    made = {path.name: path for path in source.glob("*.ko")}
    kept = (path for path in kernel.modules if path.name not in made)
    return replace(kernel, modules=(*kept, *made.values()), overlaid=tree)


def _apply(fault: Path, source: Path) -> None:
    applied = process.run(
        ["patch", "-p4", "--no-backup-if-mismatch", "-i", fault.resolve()], cwd=source
    )
    if not applied.ok:
        raise BuildError(f"{fault.name} does not apply", applied.complaint, f"renew {fault}")


def _make(tree: Path, objects: Path, *goals: str, jobs: int = 0) -> None:
    log = objects / "build.log"
    log.unlink(missing_ok=True)
    count = jobs or len(os.sched_getaffinity(0))
    argv = background.words(
        ("make", "-s", f"-j{count}", "-C", tree, f"O={objects}", "ARCH=um", *goals)
    )
    # The name of the builder's jobserver would be taken for this make's own.
    ended = process.run(argv, log=log, env={"MAKEFLAGS": "", "LC_ALL": "C"})
    if not ended.ok:
        said = _text(log)
        wrong = ERROR.findall(said) or said.splitlines()[-5:]
        raise BuildError(
            f"the gate's kernel does not build: make {goals[-1]}",
            "\n".join(wrong[:5]),
            f"read {log}",
            log=log,
        )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
