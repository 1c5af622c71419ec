"""A director of the small world that is installed and booted, and somebody who types at it.

Packages come by a real dnf into a root with an rpm database.  A boot runs the scripts of the
guest with SysV init in namespaces of their own: all processes, addresses and what lies in /run
are gone with it, as a machine loses them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support.disk.operate.page import Block
from tests.support.installed.distribution import DnfHost
from tests.support.installed.root import Root
from tests.world import ROOT

GUEST = ROOT / "dockerfiles" / "debian12" / "guest"
# What a root of tests.support.installed lacks of EL6's programs.
SETUP = """
    in_ /bin/busybox --install -s /usr/bin 2>/dev/null || :
    ln -s rc.d/init.d etc/init.d
    mkdir -p sys etc/sysconfig/network-scripts var/lib
    ln -s ../run var/run
    in_ chkconfig --add network
"""
# The boot menu's default is a line of /boot/default.
GRUBBY = """\
#!/bin/sh
case $1 in
--default-kernel) cat /boot/default ;;
--set-default=*) echo "${1#*=}" >/boot/default ;;
*) exit 2 ;;
esac
"""
BOOT = """
    mount --rbind /dev "$root/dev"
    for name in 0 1; do
        ip link add eth$name type veth peer name far$name
        ip link set far$name up
    done
    in_() { chroot "$root" "$@"; }
    in_ /etc/rc.d/rc.sysinit
    in_ /etc/rc.d/rc 3
    for script in "$typed"/*; do
        echo "== ${script##*/}"
        in_ sh -e <"$script"
    done
    echo "== off"
    in_ /etc/rc.d/rc 0
"""
# yum.conf(5) of EL6: it removes no more than it is told to.
YUM = "--setopt=clean_requirements_on_remove=False"


@dataclass(frozen=True)
class Machine:
    """The machine; ``scratch`` gets what is typed."""

    host: DnfHost
    scratch: Path

    @property
    def root(self) -> Root:
        return self.host.root

    def prepare(self) -> None:
        """The guest's files and programs, as the base debian12 brings them."""
        path = self.root.path
        shutil.copy(shutil.which("busybox") or "", path / "usr/bin/busybox")
        for folder in ("common", "sysv/files"):
            shutil.copytree(GUEST / folder, path, dirs_exist_ok=True)
        self.root.write("usr/sbin/grubby", GRUBBY, 0o755)
        self.root.write("boot/default", "/boot/vmlinuz-OLD\n")
        self.root.shell(SETUP)

    def follow(self, blocks: tuple[Block, ...]) -> Iterator[tuple[Block, str]]:
        """Type all blocks, in turn, and give what each said.

        Raises AssertionError for the first that fails, with what was said.
        """
        for kind, part in _parts(blocks):
            if kind == "packages":
                for block in part:
                    yield block, self.host.typed("yum", block.script, YUM)
            else:
                yield from self._boot(part)

    def _boot(self, part: tuple[Block, ...]) -> Iterator[tuple[Block, str]]:
        typed = Path(tempfile.mkdtemp(dir=self.scratch))
        for at, block in enumerate(part):
            # The reboot itself is the end of the part.
            script = "" if block.reboots else block.script
            (typed / f"{at:03}").write_text(script)
        told = _run(BOOT, self.root.path, typed)
        said = dict(re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", told, re.MULTILINE | re.DOTALL))
        assert "off" in said, f"{part[max(len(said) - 1, 0)]}\n{told}"
        for at, block in enumerate(part):
            yield block, said[f"{at:03}"]


def _run(script: str, root: Path, typed: Path) -> str:
    words = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child")
    ended = subprocess.run(
        [*words, f"--mount-proc={root}/proc", "sh", "-euc", f"exec 2>&1\n{script}"],
        env={
            "root": str(root),
            "typed": str(typed),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout


def _parts(blocks: tuple[Block, ...]) -> Iterator[tuple[str, tuple[Block, ...]]]:
    """What is typed between two reboots or transactions of packages."""
    boots = 0
    numbered = []
    for block in blocks:
        numbered.append((block.where, boots, block))
        boots += block.reboots
    for (where, _), part in groupby(numbered, key=lambda one: one[:2]):
        yield where, tuple(block for _, _, block in part)
