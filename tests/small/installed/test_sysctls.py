"""lvs-director sets sysctls when it is first installed, and never again in a running system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

NAMES = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/all/rp_filter")
CONF = "etc/sysctl.d/80-lvs-director.conf"

SHOW = f"""
    show() {{
        for name in {" ".join(NAMES)}; do printf '%s ' $(cat /proc/sys/net/$name); done
        echo
    }}
"""


def test_the_first_installation_sets_them_and_an_upgrade_does_not(
    root: Root, directors: tuple[Path, Path]
) -> None:
    first, second = directors
    (root.path / "run/systemd/system").mkdir(parents=True)
    told = root.shell(f"""
        {SHOW}
        show
        rpm_ -i {first}
        show
        cd /proc/sys/net
        echo 0 >ipv4/ip_forward; echo 0 >ipv6/conf/all/forwarding; echo 1 >ipv4/conf/all/rp_filter
        rpm_ -U {second}
        show
        rpm_ -U --replacepkgs {second}
        show
        rpm_ -U --oldpackage {first}
        show
        """)
    assert told.splitlines() == ["0 0 0 ", "1 1 2 ", "0 0 1 ", "0 0 1 ", "0 0 1 "]


def test_what_a_site_has_set_in_a_file_wins_at_the_first_installation(
    root: Root, directors: tuple[Path, Path]
) -> None:
    (root.path / "run/systemd/system").mkdir(parents=True)
    root.write("etc/sysctl.d/90-local.conf", "net.ipv4.ip_forward = 0\nnet.ipv4.tcp_ecn = 0\n")
    told = root.shell(f"""
        {SHOW}
        rpm_ -i {directors[0]}
        show
        cat /proc/sys/net/ipv4/tcp_ecn
        """)
    # Another key of that file is none of the package's business.
    assert told.splitlines() == ["0 1 2 ", "2"]


def test_an_edited_file_survives_an_upgrade(root: Root, directors: tuple[Path, Path]) -> None:
    first, second = directors
    root.shell(f"""
        rpm_ -i {first}
        echo '# mine' >>{CONF}
        echo 'net.ipv4.ip_forward = 0' >etc/sysctl.d/90-local.conf
        rpm_ -U {second}
        """)
    assert (root.path / CONF).read_text().endswith("# mine\n")
    assert "rp_filter = 1" in (root.path / f"{CONF}.rpmnew").read_text()
    assert (root.path / "etc/sysctl.d/90-local.conf").read_text() == "net.ipv4.ip_forward = 0\n"


def test_no_file_lies_where_systemd_applies_everything_after_an_upgrade(
    root: Root, directors: tuple[Path, Path]
) -> None:
    """EL9's systemd runs systemd-sysctl for all files whenever a package puts one there."""
    told = root.shell(f"rpm -qlp {directors[0]}")
    assert f"/{CONF}" in told.splitlines()
    assert not [line for line in told.splitlines() if line.startswith("/usr/lib/sysctl.d")]


def test_where_no_systemd_runs_nothing_is_set(root: Root, directors: tuple[Path, Path]) -> None:
    told = root.shell(f"{SHOW}\nrpm_ -i {directors[0]}\nshow")
    assert told == "0 0 0 \n"
