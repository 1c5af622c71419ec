"""docs/how-to/operate-el6.md, typed line by line in the small world."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.disk.operate.page import blocks
from tests.support.el6.operate import Machine
from tests.support.el6.tools import TOOLS, Tree, tree
from tests.support.installed import root as roots
from tests.support.installed.distribution import DnfHost, Stub, rest_of, stock
from tests.support.installed.root import needs_root
from tests.world import ROOT

__all__ = ["tree"]  # fixtures
PAGE = ROOT / "docs" / "how-to" / "operate-el6.md"
pytestmark = [pytest.mark.rpmbuild, needs_root, pytest.mark.timeout(600)]

OLD = (
    stock("ipvsadm", "1.26", "2.el6"),
    stock("keepalived", "1.2.7", "3.el6"),
    stock("quagga", "0.99.15", "7.el6"),
)
NEW = (
    stock("ipvsadm", "1.26", "4.el6"),
    stock("keepalived", "1.2.13", "5.el6"),
    stock("quagga", "0.99.15", "14.el6"),
    Stub(
        "kernel",
        "2.6.32",
        "754.el6",
        scripts="%post\n/sbin/grubby --set-default=/boot/vmlinuz-2.6.32-754.el6.x86_64",
    ),
)


def _rpms(tree: Tree) -> tuple[Path, ...]:
    """Our tools' RPMs, built from their specs and the small world's tarball."""
    tree.headers()
    for name in TOOLS:
        ended = tree.build("-bb", name)
        assert ended.returncode == 0, ended.stderr[-2000:]
        if name == "keepalived":
            tree.install(name)
    return tuple(sorted(tree.top.glob("RPMS/*/*.rpm")))


@pytest.fixture
def machine(tree: Tree, tmp_path: Path) -> Machine:
    """A host of EL6 that has its distribution's tools, and an update of them to come."""
    top = tmp_path / "stubs"
    kernel = Stub("kernel", "2.6.32", "220.23.1.el6.lvs").build(top)
    ours = (*_rpms(tree), kernel)
    (tmp_path / "root").mkdir()
    host = DnfHost(roots.make(tmp_path / "root"), tmp_path / "dnf")
    made = Machine(host, tmp_path / "typed")
    made.scratch.mkdir()
    made.prepare()
    old = tuple(one.build(top) for one in OLD)
    host.subscribe("base", (rest_of(ours).build(top), *old))
    host.shell("dnf_ install rest ipvsadm keepalived quagga")
    # Without the priority that our .repo file has, as EL6's yum knows none.
    host.subscribe("lvs-fullnat", ours)
    return made


def test_an_operator_gets_a_service_that_survives_reboots_and_can_go_back(
    machine: Machine, tmp_path: Path
) -> None:
    page = tuple(block for block in blocks(PAGE.read_text(encoding="utf-8")) if block.where)
    update = next(at for at, one in enumerate(page) if "yum update" in one.script)
    done = list(machine.follow(page[:update]))
    new = tuple(one.build(tmp_path / "stubs") for one in NEW)
    machine.host.subscribe("updates", new)
    done += machine.follow(page[update:])
    assert [block for block, _ in done] == list(page)
    assert sum(block.reboots for block in page) >= 3
    # The newer kernel is beside ours, and was not made the default.
    assert "kernel-2.6.32-754.el6" in done[update][1]
    assert "kernel-2.6.32-220.23.1.el6.lvs" in done[update][1]
    # EL6's newest tools have come back, and nothing of ours is left.
    listed = machine.host.shell("list")
    assert {one.nvr for one in NEW} < set(listed.split())
    assert ".lvs" not in listed
