"""The root file system of the gate's guest, a folder that UML mounts from its host."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.errors import BuildError
from builder.host import process
from tests.support.gate.kernel import GateKernel

HERE = Path(__file__).parent
TOOLS = HERE / "tools"
GUEST = HERE / "guest"
FOLDERS = ("bin", "sbin", "dev", "etc", "gate", "lib", "proc", "root", "run", "sys", "tmp", "var")
# Programs of this host, which are copied with their libraries.
NEEDED, WELCOME = ("ip", "iptables-legacy"), ("tc", "ss")
PATHS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def make(
    root: Path, kernel: GateKernel, ipvsadm: Path, keepalived: Path, scripts: Iterable[Path]
) -> None:
    """Fill the new folder ``root``.

    ``ipvsadm``: its patched source tree, which is compiled without shared libraries.
    ``keepalived``: a program without them.
    ``scripts``: cases and storms, which come to lie in ``/gate``.
    """
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    _busybox(root)
    for name in (*NEEDED, *WELCOME):
        found = shutil.which(name, path=":".join(PATHS))
        if found is None and name in NEEDED:
            process.require_tool(name)
        if found is not None:
            _take(Path(found), root, root / "sbin" / name.removesuffix("-legacy"))
    plugins = next(Path("/usr/lib").glob("*/xtables"), None)
    if plugins is not None:
        shutil.copytree(plugins, root / plugins.relative_to("/"))
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    compile_tools(root / "bin")
    compile_ipvsadm(ipvsadm, root.with_name(f"{root.name}-ipvsadm"), root / "sbin/ipvsadm")
    shutil.copy(keepalived, root / "sbin/keepalived")
    _modules(root, kernel)
    for path in (*sorted(GUEST.iterdir()), *scripts):
        _place(path, root / "gate" / path.name)
    if kernel.selftest.exists():  # else its case fails, and no other
        (root / "gate/selftest").mkdir()
        _place(kernel.selftest, root / "gate/selftest" / kernel.selftest.name)
    (root / "init").symlink_to("gate/init.sh")


def compile_tools(folder: Path) -> None:
    """Compile every ``tools/NAME.c``, a program of one file, to ``folder``."""
    for source in sorted(TOOLS.glob("*.c")):
        _compile([source, "-Wall", "-Wextra", "-Werror"], folder / source.stem)


def compile_ipvsadm(tree: Path, scratch: Path, target: Path) -> None:
    """Compile ipvsadm as its package does (specs/lts/ipvsadm.spec.j2), but without libraries."""
    shutil.copytree(tree, scratch, copy_function=shutil.copyfile)
    for folder in (scratch, *(path for path in scratch.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    flags = "CFLAGS=-O2 -w -static -DLIBIPVS_USE_NL -I/usr/include/libnl3"
    _make(scratch / "libipvs", "libipvs.a", flags)
    libraries = "LIBS=-lpopt -lnl-genl-3 -lnl-3 -lpthread"
    _make(scratch, "ipvsadm", "STATIC_LIBS=libipvs/libipvs.a", flags, libraries)
    shutil.copy(scratch / "ipvsadm", target)


def _make(folder: Path, *words: str) -> None:
    ended = process.run(["make", "-s", "-C", folder, *words], env={"MAKEFLAGS": "", "LC_ALL": "C"})
    if not ended.ok:
        raise BuildError(f"{words[0]} does not compile", ended.complaint, "read it above")


def _compile(argv: Iterable[str | Path], target: Path) -> None:
    ended = process.run(["gcc", "-O2", "-static", "-o", target, *argv], env={"LC_ALL": "C"})
    if not ended.ok:
        raise BuildError(f"{target.name} does not compile", ended.complaint, "read it above")


def _busybox(root: Path) -> None:
    program = Path(process.require_tool("busybox"))
    shutil.copy(program, root / "bin/busybox")
    others = {"busybox", "ip"}  # itself, and what iproute2 is for
    for applet in {*process.run([program, "--list"]).text.split()} - others:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "sbin/modprobe").symlink_to("../bin/busybox")


def _libraries(program: Path) -> Iterator[Path]:
    """What ldd(1) finds; nothing for a static program."""
    yield from map(Path, re.findall(r"(/\S+) \(0x", process.run(["ldd", program]).text))


def _take(program: Path, root: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.copy(program.resolve(), target)
    for library in _libraries(program):
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def _modules(root: Path, kernel: GateKernel) -> None:
    folder = root / "lib/modules" / kernel.release
    folder.mkdir(parents=True)
    for module in kernel.modules:
        shutil.copy(module, folder)
    ended = process.run(["busybox", "depmod", "-b", root, kernel.release])
    if not ended.ok:
        raise BuildError("busybox depmod failed", ended.complaint, "read it above")


def _place(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)
    target.chmod(0o755)
