"""Our packages and the distribution's of the same names live together under a real dnf."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.installed.distribution import DnfHost, Stub, rest_of, stock
from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

OURS = ("lvs-director", "ipvsadm", "keepalived", "frr", "kernel")
OLD = (stock("ipvsadm", "1.31", "6.el9"), stock("keepalived", "2.2.8", "3.el9"))
NEW = (
    stock("ipvsadm", "1.31", "7.el9"),
    stock("keepalived", "2.2.8", "4.el9"),
    stock("frr", "8.5.3", "4.el9"),
)
# Whatever a file may have, but what rpm and dnf keep for themselves, and accounts.
INVENTORY = """
    inventory() {
        find etc usr -type f -exec sh -c 'for x; do
            stat -c "%n %a %u %g" "$x"; sha256sum <"$x"; done' sh {} + |
            paste - - | grep -vE '^etc/(passwd|group|shadow|gshadow|subuid|subgid)-? ' |
            grep -vE '^etc/\\.pwd\\.lock|^usr/lib/sysimage/|^etc/dnf/' | LC_ALL=C sort
    }
"""


@pytest.fixture(scope="session")
def ours(workshop: Workshop) -> tuple[Path, ...]:
    return tuple(workshop.build("lts", name, "1.lvs") for name in OURS)


@pytest.fixture
def host(root: Root, tmp_path: Path, ours: tuple[Path, ...]) -> DnfHost:
    """It has the distribution's ipvsadm and keepalived, not yet its frr."""
    made = DnfHost(root, tmp_path / "dnf")
    top = tmp_path / "stubs"
    made.subscribe("base", (rest_of(ours).build(top), *(one.build(top) for one in OLD)))
    made.shell("dnf_ install rest ipvsadm keepalived; echo mine >>etc/sysconfig/keepalived")
    made.subscribe("lvs-fullnat", ours, ours=True)
    return made


LIST = "list | grep -v ^rest | sed 's/^/@/'"


def _update_of_the_distribution(host: DnfHost, tmp_path: Path) -> None:
    host.subscribe("updates", tuple(one.build(tmp_path / "stubs") for one in NEW))


def _listed(told: str) -> list[str]:
    return [line[1:] for line in told.splitlines() if line.startswith("@")]


def _differing(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith(("< ", "> "))]


def test_an_upgrade_passes_by_newer_tools_of_the_distribution(
    host: DnfHost, ours: tuple[Path, ...], tmp_path: Path
) -> None:
    host.shell("dnf_ install lvs-director")
    _update_of_the_distribution(host, tmp_path)
    told = host.shell(f"""
        dnf_ upgrade
        dnf_ upgrade ipvsadm frr
        dnf_ install keepalived frr
        dnf_ distro-sync
        {LIST}
        """)
    assert told.count("Nothing to do") == 4
    # NAME-VERSION-RELEASE.ARCHITECTURE.rpm
    assert _listed(told) == sorted(one.name.rsplit(".", 2)[0] for one in ours)


def test_a_director_is_upgraded_to_our_next_release(
    host: DnfHost, workshop: Workshop, ours: tuple[Path, ...], tmp_path: Path
) -> None:
    host.shell("dnf_ install lvs-director")
    _update_of_the_distribution(host, tmp_path)
    newer = workshop.build("lts", "frr", "2.lvs")
    exact = f"Requires:       {newer.name.split('-2.lvs')[0].replace('frr-', 'frr = ')}-1.lvs"
    edit = {"lvs-director.spec": (exact, exact.replace("1.lvs", "2.lvs"))}
    director = workshop.build("lts", "lvs-director", "3.lvs", edit)
    others = [one for one in ours if not one.name.startswith(("frr-", "lvs-director-"))]
    host.subscribe("lvs-fullnat", (*others, newer, director), ours=True)
    told = _listed(host.shell(f"dnf_ upgrade; {LIST}"))
    assert {newer.name.rsplit(".", 2)[0], director.name.rsplit(".", 2)[0]} <= set(told)
    assert not [one for one in told if "el9" in one]


def test_after_a_removal_the_distributions_tools_are_back(host: DnfHost) -> None:
    """As the removal says.  An edited file stays, and rpm lays the other package's beside it."""
    told = host.shell(f"""
        {INVENTORY}
        inventory >../before
        dnf_ install lvs-director
        inventory >../between
        ! cmp -s ../before ../between
        dnf_ remove lvs-director kernel-lvs | tee ../told
        hint=$(grep -o 'dnf distro-sync .*' ../told)
        rm $repos/lvs-fullnat.repo
        dnf_ ${{hint#dnf }}
        rm etc/sysconfig/keepalived.rpmnew
        {LIST}
        inventory | diff ../before - || :
        """)
    assert _listed(told) == [one.nvr for one in OLD]
    assert _differing(told) == []


def test_where_the_distribution_had_none_a_removal_takes_all_of_ours(host: DnfHost) -> None:
    told = host.shell(f"""
        {INVENTORY}
        dnf_ remove ipvsadm keepalived
        rm -f etc/sysconfig/*.rpmsave
        inventory >../before
        dnf_ install lvs-director
        dnf_ remove lvs-director
        {LIST}
        inventory | diff ../before - || :
        """)
    assert _listed(told) == []
    assert _differing(told) == []


def test_yum_update_passes_by_newer_tools_of_el6(
    root: Root, workshop: Workshop, tmp_path: Path
) -> None:
    """Without priorities, which yum of EL6 does not know.  A newer kernel comes beside ours."""
    names = ("lvs-director", "ipvsadm", "keepalived", "quagga")
    ours = [workshop.build("el6", name, "1.lvs") for name in names]
    top = tmp_path / "stubs"
    kernel = Stub("kernel", "2.6.32", "220.23.1.el6.lvs").build(top)
    newer = [
        stock("ipvsadm", "1.26", "4.el6"),
        stock("keepalived", "1.2.13", "5.el6"),
        Stub("kernel", "2.6.32", "754.el6"),
    ]
    host = DnfHost(root, tmp_path / "dnf")
    rest = rest_of((*ours, kernel)).build(top)
    host.subscribe("base", (rest, *(one.build(top) for one in newer[:2])))
    host.shell("dnf_ install rest ipvsadm keepalived")
    host.subscribe("lvs", (*ours, kernel))
    host.shell("dnf_ install lvs-director")
    host.subscribe("updates", tuple(one.build(top) for one in newer))
    told = host.shell(f"dnf_ upgrade; {LIST}")
    expected = [one.name.rsplit(".", 2)[0] for one in (*ours, kernel)]
    assert _listed(told) == sorted([*expected, "kernel-2.6.32-754.el6"])
