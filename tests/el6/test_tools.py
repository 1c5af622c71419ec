"""The tools of el6: their specs render and parse for both bases, and lvs-director-check tells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.patch import series
from builder.profile.model import Changelog, Component
from builder.rpm import spec

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs" / "el6"
CHECK = SPECS / "lvs-director" / "lvs-director-check"
KERNEL = "2.6.32-220.23.1.el6.lvs"
TOOLS = {
    "keepalived": "1.2.2",
    "ipvsadm": "1.26",
    "quagga": "0.99.20",
    "lvs-director": "1.0",
}

SAVED = """\
-A -t 10.0.1.1:80 -s rr
-P -t 10.0.1.1:80 -z 10.0.3.1
-a -t 10.0.1.1:80 -r 10.0.4.2:8080 -b -w 1
"""
LISTED = "IP Virtual Server version 1.2.1 (size=1048576)\n"


def _rendered(name: str, linking: str) -> str:
    files = sorted(path.name for path in (SPECS / name).iterdir())
    main = () if name == "lvs-director" else ("Lvs-fullnat-synproxy.tar.gz",)
    patches = series.load(ROOT / "patches" / "el6" / name).patches
    return spec.render(
        SPECS,
        spec.SpecContext(
            component=Component(package=name, version=TOOLS[name], release="1", packages=(name,)),
            name=name,
            release="1.lvs",
            releases={"kernel": KERNEL, **{tool: f"{v}-1.lvs" for tool, v in TOOLS.items()}},
            flavour="director",
            sources=(*main, *files),
            patches=tuple(patch.name for patch in patches),
            settings={"linking": linking},
            changelog=Changelog(date="Mon Nov 23 2026", author="A <a@b.invalid>", text="first"),
        ),
    )


@pytest.mark.skipif(shutil.which("rpmspec") is None, reason="rpm is not installed")
@pytest.mark.parametrize("linking", ["static", "dynamic"])
@pytest.mark.parametrize("name", TOOLS)
def test_a_tools_spec_is_one_that_rpm_reads(name: str, linking: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.spec"
    path.write_text(_rendered(name, linking))
    ended = subprocess.run(
        ["rpmspec", "--parse", str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    for folder in ("%{_unitdir}", "%{needs}", "%{_initddir}"):
        assert folder not in ended.stdout


class Host:
    """A made-up host: its /proc, /sys and the programs that the check asks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "bin"
        self.programs.mkdir(parents=True)
        self.write("proc/sys/kernel/osrelease", f"{KERNEL}.x86_64\n")
        self.write("usr/share/lvs-director/kernel", f"{KERNEL}.x86_64\n")
        self.write("proc/net/ip_vs_stats", "")
        self.write("proc/net/ip_vs_ext_stats", "fullnat_add_toa_ok : 5\n")
        self.write("proc/cpuinfo", "processor\t: 0\n")
        self.write("sys/class/net/eth0/device/vendor", "0x8086\n")
        self.table(LISTED, SAVED)
        self.program("ethtool", "echo 'generic-receive-offload: off'")
        self.program("ip", "echo '2: eth1    inet 10.0.3.1/24 brd 10.0.3.255 scope global eth1'")

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def table(self, listed: str, saved: str) -> None:
        self.write("listed", listed)
        self.write("saved", saved)
        self.program(
            "ipvsadm", f"case $1 in -L) cat {self.root}/listed ;; *) cat {self.root}/saved ;; esac"
        )

    def check(self) -> tuple[int, str]:
        ended = subprocess.run(
            ["/bin/sh", str(CHECK)],
            env={"LVS_ROOT": str(self.root), "PATH": f"{self.programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stderr == ""
        return ended.returncode, ended.stdout


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_working_director_passes(host: Host) -> None:
    status, told = host.check()
    assert status == 0, told
    assert "FAIL" not in told
    assert "warn" not in told
    assert "ok    table: 1048576 entries" in told
    assert "ok    service -t 10.0.1.1:80: local address 10.0.3.1 is on this host" in told


def test_another_kernel_is_told(host: Host) -> None:
    host.write("proc/sys/kernel/osrelease", "2.6.32-754.el6.x86_64\n")
    status, told = host.check()
    assert status == 1
    assert f"FAIL  kernel: 2.6.32-754.el6.x86_64 runs, {KERNEL}.x86_64 is installed" in told


def test_a_kernel_without_fullnat_is_told(host: Host) -> None:
    (host.root / "proc/net/ip_vs_ext_stats").unlink()
    status, told = host.check()
    assert status == 1
    assert "FAIL  fullnat" in told
    (host.root / "proc/net/ip_vs_stats").unlink()
    assert "FAIL  ip_vs: not loaded" in host.check()[1]


def test_a_service_without_a_local_address_is_told(host: Host) -> None:
    host.table(LISTED, SAVED.replace("-P -t 10.0.1.1:80 -z 10.0.3.1\n", ""))
    status, told = host.check()
    assert status == 1
    assert "FAIL  service -t 10.0.1.1:80: no local address" in told
    assert "ipvsadm -P -t 10.0.1.1:80 -z ADDRESS" in told


def test_joined_packets_are_told(host: Host) -> None:
    host.program("ethtool", "echo 'large-receive-offload: on'")
    status, told = host.check()
    assert status == 1
    assert "FAIL  offloads: eth0 has large-receive-offload on" in told


def test_tools_of_another_build_are_told(host: Host) -> None:
    host.program("ipvsadm", "exit 1")
    status, told = host.check()
    assert status == 1
    assert "FAIL  table" in told
    assert "FAIL  services: ipvsadm -S fails" in told


def test_what_is_only_doubtful_is_a_warning(host: Host) -> None:
    host.table(LISTED.replace("1048576", "4096"), SAVED)
    host.write("proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\n")
    host.write("proc/net/ip_vs_ext_stats", "fullnat_add_toa_fail_len : 3\n")
    host.program("ip", "true")
    status, told = host.check()
    assert status == 0
    for doubt in ("table: 4096", "10.0.3.1 is on no interface", "1 local addresses for 2"):
        assert f"warn  {doubt}" in told or doubt in told
    assert "warn  counters: fullnat_add_toa_fail_len=3" in told
