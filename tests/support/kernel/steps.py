"""A kernel series patch by patch: what compiler, checkpatch and sparse say after each.

IPVS alone is compiled, as modules of a small UML configuration: a few seconds for all of it, and
no image.  The tree itself is never written to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuildError
from builder.host import process

IPVS = Path("net/netfilter/ipvs")
HEADERS = (Path("include/net/ip_vs.h"), Path("include/uapi/linux/ip_vs.h"))
SELFTESTS = Path("tools/testing/selftests/netfilter")
PATCHED = re.compile(rf"^\+\+\+ b/{IPVS}/(\w+)\.c$", re.MULTILINE)
CONFIGURATION = """
CONFIG_64BIT=y
CONFIG_MODULES=y
CONFIG_NET=y
CONFIG_INET=y
CONFIG_IPV6=y
CONFIG_XFRM_USER=y
CONFIG_PROC_FS=y
CONFIG_SYSCTL=y
CONFIG_NETFILTER=y
CONFIG_NETFILTER_ADVANCED=y
CONFIG_NF_CONNTRACK=y
CONFIG_IP_VS=m
CONFIG_IP_VS_IPV6=y
CONFIG_IP_VS_DEBUG=y
CONFIG_IP_VS_PROTO_TCP=y
CONFIG_IP_VS_PROTO_UDP=y
CONFIG_IP_VS_PROTO_SCTP=y
CONFIG_IP_VS_RR=m
CONFIG_IP_VS_NFCT=y
"""
# As IPVS of 6.1 does itself: `else` in front of #endif, its arrays of locks and their sizes.
# MAINTAINERS has the whole folder.
TOLERATED = ("BRACES", "FILE_PATH_CHANGES", "BIT_MACRO", "UNCOMMENTED_DEFINITION")
INCLUDES = "NOSTDINC_FLAGS += -I$(src)/include/uapi -I$(src)/include\n"


@dataclass(frozen=True)
class Bench:
    """A prepared kernel and a copy of its IPVS, to which patches are applied."""

    tree: Path
    objects: Path
    copy: Path

    @property
    def modules(self) -> Path:
        return self.copy / IPVS

    def make(self, *goals: str) -> process.Finished:
        """Run make(1); its output has what the compiler said."""
        jobs = len(os.sched_getaffinity(0))
        words = ("make", "-s", f"-j{jobs}", "-C", self.tree, f"O={self.objects}", "ARCH=um")
        return process.run([*words, *goals], env={"MAKEFLAGS": "", "LC_ALL": "C"})

    def compile(self, *goals: str) -> str:
        """What is said while IPVS's ``goals`` are compiled; empty if all is well."""
        for header in HEADERS:
            target = self.modules / header
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != (self.copy / header).read_bytes():
                shutil.copyfile(self.copy / header, target)
        ended = self.make(f"M={self.modules}", "W=1", "KBUILD_MODPOST_WARN=1", *goals)
        said = ended.stdout.decode(errors="replace") + ended.stderr.decode(errors="replace")
        return said if goals != ("modules",) else _without_modpost(said)

    def apply(self, patch: Path) -> None:
        """Raises BuildError if it does not fit."""
        words = (
            "patch",
            "-p1",
            "-s",
            "--no-backup-if-mismatch",
            "-d",
            self.copy,
            "-i",
            patch.resolve(),
        )
        ended = process.run(words)
        if not ended.ok:
            raise BuildError(
                f"{patch.name} does not apply", ended.complaint, "invoke patch --check"
            )
        makefile = self.modules / "Makefile"
        if INCLUDES not in makefile.read_text():
            with makefile.open("a", encoding="utf-8") as end:
                end.write(INCLUDES)


def _without_modpost(said: str) -> str:
    """There is no list of the kernel's symbols, and modpost says so."""
    ours = ("modpost", "Module.symvers", "modversions", "unresolved symbol")
    return "".join(f"{line}\n" for line in said.splitlines() if not any(w in line for w in ours))


def prepare(tree: Path, folder: Path) -> Bench:
    """Configure the unpatched ``tree`` and copy what the series changes.  ``folder`` is new."""
    bench = Bench(tree, folder / "objects", folder / "copy")
    bench.objects.mkdir(parents=True)
    wanted = folder / "wanted.config"
    wanted.write_text(CONFIGURATION)
    for goals in ((f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig"), ("modules_prepare",)):
        ended = bench.make(*goals)
        if not ended.ok:
            raise BuildError(f"make {goals[-1]} failed", ended.complaint, "read it above")
    for path in (IPVS, Path("Documentation/networking"), SELFTESTS):
        shutil.copytree(tree / path, bench.copy / path, copy_function=shutil.copyfile)
    for header in HEADERS:
        (bench.copy / header).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / header, bench.copy / header)
    for path in (bench.copy, *bench.copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return bench


def checkpatch(tree: Path, patch: Path) -> str:
    """What ``checkpatch.pl --strict`` says of a patch; empty if it is content.

    It reads the patch from its input: a file that git knows is a source to it, not a patch.
    """
    script = tree / "scripts/checkpatch.pl"
    options = ("--strict", "--no-tree", "--terse", "-q", "--ignore", ",".join(TOLERATED), "-")
    ended = process.run(["perl", script, *options], stdin=patch.read_bytes())
    return "\n".join(line for line in ended.text.splitlines() if not line.startswith("total:"))


def faults(bench: Bench, series: tuple[Path, ...]) -> Iterator[str]:
    """Apply the series; after each patch compile the files that it changes, after the last all.

    ``ip_vs_core.c`` stands for the files that a changed header alone concerns.
    """
    for patch in series:
        if said := checkpatch(bench.tree, patch):
            yield f"{patch.name}: checkpatch\n{said}"
        bench.apply(patch)
        changed = {"ip_vs_core", *PATCHED.findall(patch.read_text(encoding="utf-8"))}
        if said := bench.compile(*(f"{name}.o" for name in sorted(changed))):
            yield f"{patch.name}: compiler\n{said}"
    if said := bench.compile("modules"):
        yield f"the whole series: compiler\n{said}"


def sparse(bench: Bench, series: tuple[Path, ...]) -> str:
    """What sparse says of the files that the series changes, when all of it is applied."""
    changed = {name for patch in series for name in PATCHED.findall(patch.read_text("utf-8"))}
    return bench.compile("C=2", "CHECK=sparse", *(f"{name}.o" for name in sorted(changed)))
