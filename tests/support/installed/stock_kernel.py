"""A guest with Debian's own kernel, which has IPVS but no FULLNAT, and ipvsadm in it."""

from __future__ import annotations

import gzip
import re
import shutil
import stat
import subprocess
import threading
from pathlib import Path

from builder.host.paths import Cache
from builder.source.apt import Apt, Package
from builder.source.limit import Limit
from builder.vm import machine
from builder.vm.hardware import Accelerator, Hardware, Kernel
from builder.vm.machine import TimeLimits
from tests.support.archive.cpios import TRAILER, Member
from tests.support.base.userland import libraries
from tests.support.source.site import Site

NEWEST = "linux-image-cloud-amd64"
MODULES = re.compile(r"/(crc32c\w*|libcrc32c|nf_defrag_ipv[46]|nf_conntrack|dummy|ip_vs\w*)\.ko")
INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ip link set lo up
# In any order: what needs another one is loaded in a later round.
for round in 1 2 3 4; do
	for module in /modules/*; do insmod "$module" 2>/dev/null; done
done
cd /tmp
sh -eu /script >told 2>&1 || echo "the script ended with $?" >>told
echo; echo BEGIN; cat told; echo END
poweroff -f
"""
MEGABYTE = 1 << 20


def kernel(folder: Path, cache: Path) -> Path:
    """The newest kernel of the host's distribution, unpacked below ``folder``."""
    site = Site(folder)
    limit = Limit("downloading a kernel", 300.0, threading.Event())
    held = Cache(cache)
    client = Apt(held.apt, held.locks, folder / "download", site.console, limit)
    named = client.download(Package(NEWEST, None, False), MEGABYTE, renew=False)
    fields = subprocess.run(
        ["dpkg-deb", "--field", str(named.path), "Depends"],
        capture_output=True,
        text=True,
        check=True,
    )
    real = fields.stdout.split()[0]
    image = client.download(Package(real, None, False), 100 * MEGABYTE, renew=False)
    subprocess.run(["dpkg-deb", "--extract", str(image.path), str(folder / "root")], check=True)
    return folder / "root"


def _modules(root: Path) -> dict[str, bytes]:
    found = {}
    for path in root.rglob("*.ko*"):
        if MODULES.search(str(path)):
            if path.suffix == ".xz":
                subprocess.run(["xz", "--decompress", str(path)], check=True)
            name = path.name.removesuffix(".xz")
            found[f"modules/{name}"] = path.with_name(name).read_bytes()
    assert "modules/ip_vs.ko" in found
    return found


def _initrd(root: Path, program: Path, script: str) -> bytes:
    """A file system with busybox, the program and its libraries (initramfs-buffer-format)."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    files = _modules(root)
    files |= {"bin/busybox": Path(busybox).read_bytes(), "bin/ipvsadm": program.read_bytes()}
    files |= {str(path).lstrip("/"): path.read_bytes() for path in libraries(program)}
    files |= {"init": INIT.encode(), "script": script.encode()}
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    folders |= {"proc", "sys", "dev", "tmp"}
    members = [Member(name, b"", stat.S_IFDIR | 0o755) for name in sorted(folders)]
    members += [Member(name, data, stat.S_IFREG | 0o755) for name, data in files.items()]
    return b"".join(one.encode() for one in members) + TRAILER


def boot(root: Path, program: Path, script: str, folder: Path) -> str:
    """What the script says in the guest; ``sh`` ends it at the first command that fails."""
    initrd = folder / "initrd"
    initrd.write_bytes(gzip.compress(_initrd(root, program, script), 1))
    (image,) = root.glob("boot/vmlinuz-*")
    accelerator = Accelerator("tcg", "the same everywhere", 0.0)
    line = "console=ttyS0 panic=-1"
    ended = machine.boot(
        Hardware(accelerator, (), kernel=Kernel(image, initrd, line), cpus=1, memory=256),
        TimeLimits(total=400.0, silence=400.0),
        console=folder / "console",
        hear=lambda _data, _now: None,
    )
    told = (folder / "console").read_text(errors="replace").replace("\r", "")
    found = re.search(r"^BEGIN\n(.*)^END$", told, re.DOTALL | re.MULTILINE)
    assert found, f"{ended}\n{machine.tail(ended.console)}"
    return found[1]
