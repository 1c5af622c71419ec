"""A director's IPv6 forwarding does not take the routes that it lives by."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.support.installed import advertise
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

ROUTERS = "etc/sysctl.d/79-lvs-director-routers.conf"
SEND = shlex.join([sys.executable, str(Path(advertise.__file__))])
# up.7 has heard a router (a VLAN's name has a dot), in0 has not.
LINKS = f"""
    ip link set lo up
    ip link add up.7 type veth peer name router
    ip link add in0 type veth peer name servers
    echo 0 >/proc/sys/net/ipv6/conf/up.7/accept_dad
    for name in up.7 router in0 servers; do ip link set $name up; done
    tries=0
    until ip -6 route show default dev up.7 | grep -q fe80::1; do
        [ $((tries += 1)) -lt 100 ]
        {SEND} router
        sleep 0.1
    done
    show() {{
        ip -6 route show default | sed 's/ metric.*//'
        ip -6 -o address show dev up.7 scope global | grep -c 2001:db8:7
        for name in all/forwarding up.7/accept_ra in0/accept_ra; do
            cat /proc/sys/net/ipv6/conf/$name
        done
    }}
"""
ROUTE = "default via fe80::1 dev up.7 proto ra"


@pytest.fixture(autouse=True)
def _running_systemd(root: Root) -> None:
    (root.path / "run/systemd/system").mkdir(parents=True)


def test_a_host_that_lives_by_advertisements_goes_on_to(
    root: Root, directors: tuple[Path, Path]
) -> None:
    told = root.shell(f"""
        {LINKS}
        show
        rpm_ -i {directors[0]}
        show
        {SEND} router
        show
        grep -v '^#' {ROUTERS}
        """)
    before = [ROUTE, "1", "0", "1", "1"]
    after = [ROUTE, "1", "1", "2", "1"]
    assert told.splitlines() == [*before, *after, *after, "-net/ipv6/conf/up.7/accept_ra = 2"]


def test_an_upgrade_and_a_removal_leave_what_the_site_made_of_it(
    root: Root, directors: tuple[Path, Path]
) -> None:
    first, second = directors
    told = root.shell(f"""
        {LINKS}
        rpm_ -i {directors[0]}
        rm {ROUTERS}
        rpm_ -U {second}
        [ ! -e {ROUTERS} ]
        echo '# mine' >{ROUTERS}
        rpm_ -U --oldpackage {first}
        grep mine {ROUTERS}
        rpm_ -e lvs-director
        [ ! -e {ROUTERS} ]
        """)
    mine, *told_of_removal = told.splitlines()
    assert mine == "# mine"
    assert told_of_removal[0].startswith("lvs-director is gone; ")


def test_where_no_router_was_heard_no_file_is_made(
    root: Root, directors: tuple[Path, Path]
) -> None:
    root.shell(f"ip link set lo up; rpm_ -i {directors[0]}; [ ! -e {ROUTERS} ]")
    text = (root.path / "etc/sysctl.d/80-lvs-director.conf").read_text()
    assert "accept_ra = 2" in text


def test_what_the_site_wrote_before_is_kept(root: Root, directors: tuple[Path, Path]) -> None:
    root.write(ROUTERS, "-net/ipv6/conf/up.7/accept_ra = 0\n")
    told = root.shell(f"{LINKS}\nrpm_ -i {directors[0]}\ncat {ROUTERS}\nshow")
    assert told.splitlines() == ["-net/ipv6/conf/up.7/accept_ra = 0", "1", "1", "0", "1"]
