"""lvs-director-check tells a working FULLNAT director from one that is not, and how to fix it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "specs" / "el6" / "lvs-director"
CHECK = FILES / "lvs-director-check"
RUNS = "2.6.32-220.23.1.el6.lvs.x86_64"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]

SAVED = """\
-A -t 192.0.2.1:80 -s rr -j enable
-P -t 192.0.2.1:80 -z 198.51.100.1
-a -t 192.0.2.1:80 -r 203.0.113.2:8080 -b -w 1
-A -t 192.0.2.1:22 -s rr
-a -t 192.0.2.1:22 -r 203.0.113.2:22 -m -w 1
"""
ADDRESSES = """\
1: lo    inet 192.0.2.1/32 scope global lo
2: eth1    inet 198.51.100.1/24 brd 198.51.100.255 scope global eth1
"""
# As the kernel prints it: a column for each processor.
COUNTERS = """\
                                  CPU0       CPU1
fullnat_add_toa_ok       :         7          9
fullnat_add_toa_fail_len :         0          0
fullnat_add_toa_fail_proto:         0          0
synproxy_rs_error        :         0          0
"""


class Host:
    """A made-up host: its files, and the programs that the check asks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/sys/kernel/osrelease", f"{RUNS}\n")
        self.write("usr/share/lvs-director/kernel", f"{RUNS}\n")
        self.write(f"boot/config-{RUNS}", "CONFIG_IP_VS=m\nCONFIG_IP_VS_TAB_BITS=20\n")
        self.write("proc/net/ip_vs", "IP Virtual Server version 1.2.1 (size=1048576)\nProt\n")
        self.write("proc/net/ip_vs_ext_stats", COUNTERS)
        self.write("proc/cpuinfo", "processor\t: 0\n\nprocessor\t: 1\n")
        self.write("proc/sys/kernel/random/entropy_avail", "180\n")
        self.write("proc/sys/kernel/random/read_wakeup_threshold", "64\n")
        self.write("sys/class/net/eth0/device/vendor", "0x8086\n")
        self.write("sys/class/net/eth0/operstate", "up\n")
        self.write("sys/class/net/lo/operstate", "unknown\n")
        wanted = (FILES / "80-lvs-director.conf").read_text()
        self.write("etc/sysctl.d/80-lvs-director.conf", wanted)
        for key, _, value in (
            line.partition(" = ") for line in wanted.splitlines() if " = " in line
        ):
            if not key.startswith("#"):
                self.write(f"proc/sys/{key.replace('.', '/')}", f"{value}\n")
        self.table(SAVED.replace(".1\n", ".1\n-P -t 192.0.2.1:80 -z 198.51.100.2\n", 1))
        self.program("ip", f"cat <<'END'\n{ADDRESSES}3: eth1    inet 198.51.100.2/24 eth1\nEND")
        self.program("ethtool", "echo 'generic-receive-offload: off'")
        self.program("dmesg", "echo 'IPVS: ipvs loaded.'")

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def program(self, name: str, script: str) -> None:
        self.write(f"bin/{name}", f"#!/bin/sh\n{script}\n")
        (self.root / "bin" / name).chmod(0o755)

    def table(self, saved: str) -> None:
        self.program("ipvsadm", f"cat <<'END'\n{saved}END")

    def check(self, shell: str = "sh") -> tuple[int, str]:
        words = [shell, str(CHECK)]
        if shell == "busybox":
            # It prefers the programs that are built into it to those on PATH, but not to functions.
            functions = "".join(f'{x}() {{ "{self.root}/bin/{x}"; }}; ' for x in ("ip", "dmesg"))
            words = [shell, "sh", "-c", f"{functions}. '{CHECK}'"]
        ended = subprocess.run(
            words,
            env={"LVS_ROOT": str(self.root), "PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stderr == ""
        for line in ended.stdout.splitlines():
            assert line.startswith(("ok    ", "warn  ", "FAIL  ")), line
        assert ended.returncode == ("FAIL" in ended.stdout)
        return ended.returncode, ended.stdout

    def told(self) -> str:
        """The findings that are not ok."""
        return "".join(f"{x}\n" for x in self.check()[1].splitlines() if not x.startswith("ok "))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_working_director_passes_under_any_shell(host: Host, shell: str) -> None:
    status, told = host.check(shell)
    assert (status, "warn" in told) == (0, False), told
    assert f"ok    kernel: {RUNS} runs\n" in told
    assert "ok    table: 1048576 entries\n" in told
    assert "ok    offloads: eth0 joins no packets\n" in told
    expected = "ok    service -t 192.0.2.1:80: local addresses 198.51.100.1 198.51.100.2\n"
    assert expected in told
    assert "192.0.2.1:22" not in told, "a service without FULLNAT needs no local address"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_later_file_of_the_site_is_what_is_wanted(host: Host, shell: str) -> None:
    host.write("proc/sys/net/ipv4/ip_forward", "0\n")
    assert "net.ipv4.ip_forward=0 (not 1)" in host.check(shell)[1]
    host.write(
        "etc/sysctl.d/90-local.conf", "; mine\n net.ipv4.ip_forward=0 \nnet.core.other = 1\n"
    )
    assert "ok    settings: as in" in host.check(shell)[1]
    host.write("proc/sys/net/ipv4/ip_forward", "1\n")
    assert "net.ipv4.ip_forward=1 (not 0)" in host.check(shell)[1]


def test_another_kernel_is_told(host: Host) -> None:
    host.write("proc/sys/kernel/osrelease", "2.6.32-754.el6.x86_64\n")
    told = host.told()
    assert f"FAIL  kernel: 2.6.32-754.el6.x86_64 runs, not {RUNS}: grubby --set-default=" in told


def test_an_ip_vs_that_is_not_there_is_told(host: Host) -> None:
    (host.root / "proc/net/ip_vs").unlink()
    assert host.told() == "FAIL  ip_vs: not loaded: service lvs-director start\n"


def test_a_kernel_without_fullnat_is_told(host: Host) -> None:
    (host.root / "proc/net/ip_vs_ext_stats").unlink()
    assert host.told().startswith("FAIL  fullnat: this ip_vs has none")


def test_a_table_of_another_size_than_configured_is_told(host: Host) -> None:
    host.write("proc/net/ip_vs", "IP Virtual Server version 1.2.1 (size=4096)\n")
    assert "FAIL  table: 4096 entries, but the kernel was configured for 2^20" in host.told()
    host.write(f"boot/config-{RUNS}", "CONFIG_IP_VS_TAB_BITS=12\n")
    assert "warn  table: 4096 entries, the smallest default" in host.told()


@pytest.mark.parametrize(
    ("word", "name"), [("generic-receive-offload", "gro"), ("large-receive-offload", "lro")]
)
def test_joined_packets_are_told(host: Host, word: str, name: str) -> None:
    host.program("ethtool", f"echo '{word}: on'")
    expected = f"FAIL  offloads: eth0 has {name} on, joined packets are too long to send on: "
    assert host.told() == f"{expected}ethtool -K eth0 {name} off\n"
    host.write("sys/class/net/eth0/operstate", "down\n")
    assert host.told() == ""


def test_tools_of_another_build_are_told_in_their_own_words(host: Host) -> None:
    host.program("ipvsadm", "echo 'Invalid operation. Possibly wrong module version' >&2; exit 255")
    expected = "FAIL  ipvsadm: Invalid operation. Possibly wrong module version: install kernel"
    assert expected in host.told()


def test_a_service_without_a_local_address_is_told(host: Host) -> None:
    host.table(SAVED.replace("-P -t 192.0.2.1:80 -z 198.51.100.1\n", ""))
    expected = "FAIL  service -t 192.0.2.1:80: no local address, no connection can be made: "
    assert host.told() == f"{expected}ipvsadm -P -t 192.0.2.1:80 -z ADDRESS\n"


def test_fullnat_for_udp_is_told(host: Host) -> None:
    more = "-A -u 192.0.2.1:53 -s rr\n-a -u 192.0.2.1:53 -r 203.0.113.9:53 -b -w 1\n"
    host.table(SAVED + more)
    assert "FAIL  service -u 192.0.2.1:53: FULLNAT of this series carries TCP alone" in host.told()


def test_a_local_address_on_no_interface_is_told(host: Host) -> None:
    host.program("ip", f"cat <<'END'\n{ADDRESSES}END")
    expected = "FAIL  service -t 192.0.2.1:80: local address 198.51.100.2 is on no interface, "
    assert host.told().startswith(expected)


def test_a_virtual_address_on_no_interface_is_told(host: Host) -> None:
    # 192.0.2.11 is another address than 192.0.2.1.
    host.program(
        "ip", f"cat <<'END'\n{ADDRESSES.replace('2.1/', '2.11/')}3: x    inet 198.51.100.2/24\nEND"
    )
    assert "FAIL  service -t 192.0.2.1:80: 192.0.2.1 is on no interface" in host.told()


VRRP = """\
vrrp_instance other { # virtual_ipaddress { 192.0.2.1 }
    virtual_ipaddress {
        192.0.2.77
    }
}
vrrp_instance ours {
    state BACKUP
    virtual_ipaddress {
        192.0.2.200/24 dev eth0
        192.0.2.1/32 brd 192.0.2.255 dev lo  ! the service
    }
    virtual_ipaddress_excluded { 198.51.100.1 dev eth1 }
}
"""


def standby(host: Host, config: str = "etc/keepalived/keepalived.conf") -> None:
    """keepalived runs, and neither its VIP nor the local address that it moves is here."""
    host.write(config, VRRP)
    host.write("var/run/keepalived.pid", "77\n")
    host.write("proc/77/stat", "77 (keepalived)\n")
    host.program("ip", "echo '2: eth1    inet 198.51.100.2/24 scope global eth1'")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_standby_of_vrrp_is_a_working_director(host: Host, shell: str) -> None:
    standby(host)
    status, told = host.check(shell)
    assert status == 0, told
    assert "ok    service -t 192.0.2.1:80: 192.0.2.1 is keepalived's, which is standby here" in told
    assert "local address 198.51.100.1 is keepalived's, which is standby here" in told


def test_a_standbys_configuration_may_be_in_an_included_file(host: Host) -> None:
    standby(host, "etc/keepalived/conf.d/vips.conf")
    host.write("etc/keepalived/keepalived.conf", "  include conf.d/*.conf\n")
    assert host.told() == ""


def test_a_master_without_its_address_is_told_no_other_hosts_advice(host: Host) -> None:
    standby(host)
    host.program("ip", "printf '2: e    inet %s/24 x\n' 198.51.100.2 192.0.2.200")
    told = host.told()
    assert "FAIL  service -t 192.0.2.1:80: 192.0.2.1 is on no interface" in told
    assert "keepalived is master here (it has set 192.0.2.200): service keepalived restart" in told
    assert "ip addr add" not in told


def test_an_address_of_a_keepalived_that_does_not_run_is_told(host: Host) -> None:
    standby(host)
    (host.root / "proc/77/stat").unlink()
    (host.root / "proc/77").rmdir()
    told = host.told()
    assert told.count("keepalived, which moves it, does not run: service keepalived start") == 2
    assert "ip addr add" not in told


def test_an_address_that_keepalived_does_not_move_is_told_as_ever(host: Host) -> None:
    standby(host)
    host.write("etc/keepalived/keepalived.conf", VRRP.replace("192.0.2.1/32", "192.0.2.9/32"))
    assert "192.0.2.1 is on no interface, its packets pass IPVS by: ip addr add" in host.told()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "line",
    ["net.ipv4.tcp_rmem=4096 87380  1", "net/ipv4/tcp_rmem=4096 87380 1", "-%s = 4096\t87380 1"],
)
def test_settings_are_read_as_sysctl_reads_them(host: Host, shell: str, line: str) -> None:
    key = "net.ipv4.tcp_rmem"
    host.write("etc/sysctl.d/80-lvs-director.conf", f"{line.replace('%s', key)}\n")
    host.write("proc/sys/net/ipv4/tcp_rmem", "4096\t87380\t1\n")
    assert "ok    settings: as in" in host.check(shell)[1]
    host.write("proc/sys/net/ipv4/tcp_rmem", "4096\t87380\t2\n")
    assert "settings: net.ipv4.tcp_rmem=4096 87380 2 (not 4096 87380 1)" in host.check(shell)[1]


def test_a_processor_without_local_address_is_told(host: Host) -> None:
    host.table(SAVED)
    expected = "warn  processors: -t 192.0.2.1:80 has no local address for processor 0 (last octet"
    assert host.told().startswith(expected)


def test_failures_of_every_processor_are_counted(host: Host) -> None:
    host.write(
        "proc/net/ip_vs_ext_stats", COUNTERS.replace("_len :         0          0", "_len : 0 3")
    )
    assert "warn  counters: fullnat_add_toa_fail_len=3: " in host.told()


def test_connections_without_a_port_are_told(host: Host) -> None:
    host.program("dmesg", "echo 'IPVS: bind local address: no port available'")
    assert host.told().startswith("warn  ports: the kernel log tells")


def test_settings_that_something_has_changed_are_told(host: Host) -> None:
    host.write("proc/sys/net/ipv4/ip_forward", "0\n")
    (host.root / "proc/sys/net/ipv4/vs/fullnat_toa_entry").unlink()
    expected = "warn  settings: net.ipv4.ip_forward=0 (not 1) net.ipv4.vs.fullnat_toa_entry=none"
    assert host.told().startswith(expected)


def test_a_host_without_services_or_entropy_is_only_warned(host: Host) -> None:
    host.table("")
    host.write("proc/sys/kernel/random/entropy_avail", "0\n")
    first, second = host.told().splitlines()
    assert first.startswith("warn  services: none with FULLNAT")
    assert second.startswith("warn  entropy: 0 bits")


def test_an_option_tells_the_usage() -> None:
    ended = subprocess.run(["sh", CHECK, "--help"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "ok|warn|FAIL" in ended.stdout
