"""A director's network with lvs-synproxy in it: this machine's own kernel and nft."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.host.paths import find_project

HELPER = find_project().specs / "lts" / "lvs-director" / "lvs-synproxy"
CONF = "etc/lvs-director/synproxy.conf"
LIST = "run/keepalived/synproxy.conf"
LOOSE = "net/netfilter/nf_conntrack_tcp_loose"
PROBE = "add table inet t; add chain inet t c { type filter hook input priority 0; }; "
PROBE += "add rule inet t c synproxy mss 1460"


def supported() -> bool:
    """Whether this kernel has SYNPROXY for nftables, and who asks may make networks."""
    words = ["unshare", "--net", "nft", "--check", PROBE]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


needs_synproxy = pytest.mark.skipif(
    os.geteuid() != 0 or not supported(), reason="networks need root, and this kernel SYNPROXY"
)


@dataclass(frozen=True)
class Director:
    """Its files are below ``root``; each ``shell`` has a network of its own."""

    root: Path

    def shell(self, script: str) -> str:
        """What a script says, standard error included; ``sp`` is the helper.

        Of the settings, conntrack's is the kernel's own, and IPVS's a file: few kernels that
        tests run on have IPVS.
        """
        lines = (
            "set -u; exec 2>&1",
            "mount -t tmpfs none /run; mount --make-private /run",
            f'sp() {{ sh {HELPER} "$@"; echo "= $?"; }}',
            "values() { cat $LVS_ROOT/proc/sys/net/ipv4/vs/conntrack /proc/sys/" + LOOSE + "; }",
            "handles() { nft -a -s list ruleset | sha256sum; }",
            script,
        )
        ended = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", "\n".join(lines)],
            env={"LVS_ROOT": str(self.root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ended.stderr
        return ended.stdout

    @property
    def conf(self) -> Path:
        return self.root / CONF

    def keepalived(self, *services: str) -> None:
        """keepalived's list of services with ``syn_proxy``, as it writes it."""
        path = self.root / LIST
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in ("# keepalived's", *services)))

    def reboot(self) -> None:
        """What is left is what lies on the disk."""
        for path in sorted((self.root / "run").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.root / "proc/sys/net/ipv4/vs/conntrack").write_text("0\n")


def make(root: Path) -> Director:
    """A director as the package leaves it."""
    for folder in ("proc/sys/net/ipv4/vs", "proc/sys/net/netfilter", "run", "etc/lvs-director"):
        (root / folder).mkdir(parents=True)
    (root / "proc/sys/net/ipv4/vs/conntrack").write_text("0\n")
    (root / "proc/sys" / LOOSE).symlink_to(f"/proc/sys/{LOOSE}")
    made = Director(root)
    made.conf.write_bytes(HELPER.with_name("synproxy.conf").read_bytes())
    return made
