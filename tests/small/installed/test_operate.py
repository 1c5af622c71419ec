"""What docs/how-to/operate.md has for dnf and nmcli, which the booted director lacks."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from builder.host.paths import Cache
from builder.source.apt import Apt, Package
from builder.source.limit import Limit
from tests.support.disk.operate.page import Block, blocks
from tests.support.installed.distribution import DnfHost, rest_of, stock
from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root
from tests.support.source.site import Site
from tests.world import ROOT

PAGE = ROOT / "docs" / "how-to" / "operate.md"
OURS = ("lvs-director", "ipvsadm", "keepalived", "frr", "kernel")
OLD = (stock("ipvsadm", "1.31", "6.el9"), stock("keepalived", "2.2.8", "3.el9"))
NEW = (stock("ipvsadm", "1.31", "7.el9"), stock("keepalived", "2.2.8", "4.el9"))
MEGABYTE = 1 << 20
EDITED = "etc/sysctl.d/80-lvs-director.conf etc/sysconfig/ipvsadm"
FILES = f"cat {EDITED} etc/lvs-director/synproxy.conf"
SYSTEMCTL = """\
#!/bin/sh
# One in which all units run; is-active has status 0.
echo "$@" >>/told
"""


def _typed(where: str) -> tuple[Block, ...]:
    return tuple(one for one in blocks(PAGE.read_text(encoding="utf-8")) if one.where == where)


@pytest.mark.rpmbuild
@needs_root
def test_packages_come_are_upgraded_and_go_as_the_page_says(
    root: Root, workshop: Workshop, tmp_path: Path
) -> None:
    top = tmp_path / "stubs"
    ours = tuple(workshop.build("lts", name, "1.lvs") for name in OURS)
    host = DnfHost(root, tmp_path / "dnf")
    host.subscribe("base", (rest_of(ours).build(top), *(one.build(top) for one in OLD)))
    host.shell("dnf_ install rest ipvsadm keepalived")
    host.subscribe("lvs-fullnat", ours, ours=True)
    install, *rest = [one for one in _typed("packages") if "downgrade" not in one.script]
    host.typed("dnf", install.script)
    listed = host.shell("list").split()
    assert {one.name.rsplit(".", 2)[0] for one in ours} < set(listed)
    host.subscribe("updates", tuple(one.build(top) for one in NEW))
    upgrade, *rest = rest
    assert "upgrade" in upgrade.script
    host.typed("dnf", upgrade.script)
    assert host.shell("list").split() == listed
    for block in rest:
        host.typed("dnf", block.script)
    assert set(host.shell("list").split()) == {"rest-1-1", *(one.nvr for one in NEW)}


def _newer(workshop: Workshop) -> tuple[Path, ...]:
    """A later release, whose lvs-director has other settings."""
    edits = {
        "lvs-director.spec": ("-1.lvs", "-8.lvs"),
        "80-lvs-director.conf": ("rp_filter = 2", "rp_filter = 1"),
        "synproxy.conf": ("# Services", "# All services"),
    }
    return tuple(
        workshop.build("lts", name, "8.lvs", edits if name == "lvs-director" else None)
        for name in OURS
    )


@pytest.mark.rpmbuild
@needs_root
def test_a_director_goes_back_to_an_older_release_as_the_page_says(
    root: Root, workshop: Workshop, tmp_path: Path
) -> None:
    older, newer = tuple(workshop.build("lts", name, "1.lvs") for name in OURS), _newer(workshop)
    (upgrade,) = [one for one in _typed("packages") if "dnf upgrade" in one.script]
    (back,) = [one for one in _typed("packages") if "dnf downgrade" in one.script]
    host = DnfHost(root, tmp_path / "dnf")
    top = tmp_path / "stubs"
    host.subscribe("base", (rest_of(older).build(top), *(one.build(top) for one in NEW)))
    host.subscribe("lvs-fullnat", older, ours=True)
    host.shell(f"dnf_ install rest lvs-director; for x in {EDITED}; do echo mine >>$x; done")
    listed, files = set(host.shell("list").split()), host.shell(FILES)
    host.subscribe("lvs-fullnat", newer, ours=True)
    host.typed("dnf", upgrade.script)
    assert {one.name.rsplit(".", 2)[0] for one in newer} < set(host.shell("list").split())
    assert "# All services" in host.shell(FILES)
    (root.path / "run/systemd/system").mkdir(parents=True)
    root.write("usr/bin/systemctl", SYSTEMCTL, 0o755)
    host.subscribe("lvs-fullnat", older, ours=True)
    host.typed("dnf", back.script)
    kernel = newer[OURS.index("kernel")].name.rsplit(".", 2)[0]
    assert set(host.shell("list").split()) == {*listed, kernel}
    assert host.shell(FILES) == files, "edited files stay, others are the older release's"
    assert "rp_filter = 2" in host.shell("cat etc/sysctl.d/80-lvs-director.conf.rpmnew")
    told = (root.path / "told").read_text()
    assert "try-restart frr.service" in told
    assert "restart ipvsadm" not in told and "restart lvs-synproxy" not in told
    host.typed("dnf", upgrade.script)
    assert set(host.shell("list").split()) == {*listed, kernel}


@pytest.fixture(scope="module")
def network_manager(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NetworkManager's client and its library, of the host's own distribution."""
    folder = tmp_path_factory.mktemp("network-manager")
    site = Site(folder)
    limit = Limit("downloading nmcli", 300.0, threading.Event())
    held = Cache(pipeline_cache)
    client = Apt(held.apt, held.locks, folder / "download", site.console, limit)
    for name in ("network-manager", "libnm0"):
        found = client.download(Package(name, None, False), 20 * MEGABYTE, renew=False)
        words = ["dpkg-deb", "--extract", str(found.path), str(folder / "root")]
        subprocess.run(words, check=True)
    return folder / "root"


@pytest.mark.registry
def test_networkmanagers_lines_make_profiles_with_the_pages_addresses(
    network_manager: Path, tmp_path: Path
) -> None:
    """``--offline`` writes what is kept, and asks no daemon; ``up`` needs one."""
    (library,) = network_manager.rglob("libnm.so.0")
    text = PAGE.read_text(encoding="utf-8")
    (block,) = [one.script for one in blocks(text) if one.script.startswith("nmcli ")]
    lines = block.splitlines()
    made = [line for line in lines if " add " in line]
    assert [line for line in lines if line not in made] == [
        "nmcli connection up outside",
        "nmcli connection up inside",
    ]
    outside, inside = (
        subprocess.run(
            ["sh", "-ec", line.replace("nmcli ", f"{network_manager}/usr/bin/nmcli --offline ", 1)],
            env={**os.environ, "LD_LIBRARY_PATH": str(library.parent), "LC_ALL": "C.UTF-8"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for line in made
    )
    assert {"interface-name=eth0", "method=manual"} <= set(outside)
    assert {"address1=192.0.2.11/24", "address2=192.0.2.1/32"} <= set(outside)
    assert {"interface-name=eth1", "method=manual"} <= set(inside)
    assert {"address1=198.51.100.11/24", "address2=198.51.100.1/32"} <= set(inside)
    assert "route1=203.0.113.0/24,198.51.100.254" in inside
