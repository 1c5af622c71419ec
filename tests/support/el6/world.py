"""The small world of el6: a source RPM and an LVS tarball with the real ones' names and ways.

Everything in ``data/`` was written for it; nothing is the vendors'.  The kernel tree is a few
files with a real Makefile, the spec has the mechanics of Red Hat's kernel.spec, and the tools
have hand-written configure scripts.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.smoke import payload
from tests.support.el6.signing import Key
from tests.support.el6.vault import Vault

DATA = Path(__file__).parent / "data"
BOOT = "arch/x86/boot"
RELEASE = "2.6.32-220.23.1.el6"
SRPM = f"kernel-{RELEASE}.src.rpm"
TARBALL = "Lvs-fullnat-synproxy.tar.gz"
TOP = "lvs-fullnat-synproxy"
LVS_PATCH = f"lvs-{RELEASE}.patch"
TOA_PATCH = f"toa-{RELEASE}.patch"
MOMENT = 1_339_459_200  # 12 June 2012

# Files that the tools' packages carry and nobody in this world reads.
PAPERS = {
    "keepalived": (
        *("AUTHOR", "ChangeLog", "COPYING", "README", "doc/keepalived.conf.SYNOPSIS"),
        *("doc/man/man1/genhash.1", "doc/man/man5/keepalived.conf.5", "doc/man/man8/keepalived.8"),
        "doc/samples/keepalived.conf.sample",
    ),
    "ipvsadm": (
        *("README", "SCHEDULERS", "PERSISTENCE_ENGINES"),
        *("ipvsadm.8", "ipvsadm-save.8", "ipvsadm-restore.8"),
    ),
    "quagga": (
        *("AUTHORS", "COPYING", "NEWS", "README"),
        *("zebra/zebra.conf.sample", "ospfd/ospfd.conf.sample"),
    ),
    "rpm": ("lvs-tools.spec",),
}
# Where each tool has its own copy of the kernel's header.
HEADERS = {"keepalived": "keepalived/libipvs-2.6", "ipvsadm": "libipvs"}


@dataclass(frozen=True)
class Kernel:
    """What is different from ``data/`` in a source RPM: files of the tree, and SOURCES' files.

    ``fail_at``: the Makefile's target that is to fail.
    """

    tree: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    fail_at: str = ""
    release: str = RELEASE


PLAIN = Kernel()


def _tar(mode: str, folder: Path, top: str) -> bytes:
    """A tar of ``folder`` as ``top``, with fixed owners and times."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = MOMENT
        return entry

    told = io.BytesIO()
    with tarfile.open(fileobj=told, mode=f"w:{mode}") as tar:  # type: ignore[call-overload]
        tar.add(folder, top, filter=plain)
    return told.getvalue()


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, newline="")


def make_tree(folder: Path) -> Path:
    """The kernel tree; its kernel knows the checks of el6's self-test."""
    shutil.copytree(DATA / "linux", folder)
    (folder / BOOT / "checks.h").write_text(_checks())
    return folder


def make_sources(scratch: Path, kernel: Kernel = PLAIN) -> Path:
    """The SOURCES folder of the source RPM, with the spec in it."""
    sources = scratch / "SOURCES"
    tree = make_tree(scratch / "linux")
    _write(tree, kernel.tree)
    if kernel.fail_at:
        (tree / "fail-at").write_text(f"{kernel.fail_at}\n")
    shutil.copytree(DATA / "kernel", sources)
    name = f"linux-{kernel.release}"
    (sources / f"{name}.tar.bz2").write_bytes(_tar("bz2", tree, name))
    (sources / "Module.kabi_x86_64").write_text(kabi_list(tree))
    spec = (sources / "kernel.spec").read_text()
    number = kernel.release.partition("-")[2].removesuffix(".el6")
    (sources / "kernel.spec").write_text(spec.replace("220.23.1", number))
    _write(sources, kernel.sources)
    return sources


def _checks() -> str:
    """What the small world's kernel says on the self-test's channel, as a C header."""
    names = sorted(payload.load("sysv").checks)
    lines = {
        "START": '{"phase": "start", "uptime": 0.0, "kernel_us": 0}',
        "PASS": f'{{"verdict": "pass", "checks": {len(names)}}}',
        "FAIL": f'{{"verdict": "fail", "checks": {len(names)}}}',
    }
    text = "".join(f"#define {name} {_c_string(line)}\n" for name, line in lines.items())
    return f"#define CHECKS {', '.join(map(json.dumps, names))}\n{text}"


def _c_string(line: str) -> str:
    return json.dumps(line + "\n")


def kabi_list(tree: Path) -> str:
    """The kABI list that fits the tree, as its Makefile computes checksums (cksum(1))."""
    header = (tree / "include/net/ip_vs.h").read_bytes()
    told = subprocess.run(["cksum"], input=header, capture_output=True, check=True).stdout
    crc = f"0x{int(told.split()[0]):08x}"
    return f"{crc}\tregister_ip_vs_scheduler\tnet/netfilter/ipvs/ip_vs\tEXPORT_SYMBOL\n"


def make_srpm(scratch: Path, kernel: Kernel = PLAIN, key: Key | None = None) -> Path:
    """The source RPM, made by this host's rpmbuild and signed with ``key`` if there is one."""
    scratch.mkdir(parents=True, exist_ok=True)
    sources = make_sources(scratch, kernel)
    argv = ["rpmbuild", "-bs", "--quiet", "--nodeps", "--target", "x86_64"]
    argv += ["--define", f"_topdir {scratch}", "--define", f"_sourcedir {sources}"]
    argv += ["--define", "_source_payload w9.gzdio", "--define", f"_srcrpmdir {scratch}"]
    subprocess.run([*argv, str(sources / "kernel.spec")], check=True, capture_output=True)
    made = scratch / f"kernel-{kernel.release}.src.rpm"
    if key:
        key.sign(made)
    return made


def make_tools(scratch: Path) -> Path:
    """The folder ``tools`` of lvs-tools.tar.gz."""
    tools = scratch / "tools"
    shutil.copytree(DATA / "tools", tools, ignore=shutil.ignore_patterns("*.h"))
    for name, folder in HEADERS.items():
        header = (DATA / "tools" / "ip_vs.h").read_text()
        text = header.replace("<linux/types.h>", '"types.h"')
        _write(tools / name / folder, {"ip_vs.h": text})
        shutil.copy(DATA / "tools" / "types.h", tools / name / folder)
    library = "keepalived/keepalived/libipvs-2.6/libipvs.h"
    shutil.copy(DATA / "tools" / library, tools / library)
    for name, papers in PAPERS.items():
        _write(tools / name, {paper: f"{paper} of the small world\n" for paper in papers})
    for script in ("keepalived/configure", "quagga/configure"):
        (tools / script).chmod(0o755)
    return tools


def make_tarball(
    scratch: Path, patches: Mapping[str, str] | None = None, without: Iterable[str] = ()
) -> Path:
    """The LVS tarball; ``patches``: other texts by file name; ``without``: members left out."""
    top = scratch / TOP
    top.mkdir(parents=True)
    texts = {
        LVS_PATCH: (DATA / "lvs.patch").read_text(),
        TOA_PATCH: (DATA / "toa.patch").read_text(),
    }
    _write(top, {**texts, **(patches or {})})
    (top / "lvs-tools.tar.gz").write_bytes(_tar("gz", make_tools(scratch), "tools"))
    for name in without:
        (top / name).unlink()
    made = scratch / TARBALL
    made.write_bytes(_tar("gz", top, TOP))
    return made


def _places() -> tuple[str, str]:
    """Where the vault has the source RPM, and the wiki the tarball."""
    return (f"6.2/updates/Source/SPackages/{SRPM}", f"images/a/a5/{TARBALL}")


def addresses(vault: Vault) -> tuple[str, str]:
    """Of the source RPM and the tarball."""
    srpm, tarball = _places()
    return (f"{vault.url}/{srpm}", f"{vault.url}/{tarball}")


def publish(vault: Vault, srpm: Path, tarball: Path) -> None:
    """Put both where the vault and the wiki have them."""
    for origin, place in zip((srpm, tarball), _places(), strict=True):
        target = vault.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, target)
