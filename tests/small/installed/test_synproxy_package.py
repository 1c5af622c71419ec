"""lvs-synproxy as the package brings it: in a root of its own, until the package goes."""

from __future__ import annotations

import shutil

import pytest

from tests.support.installed import synproxy
from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, copy_program, needs_root
from tests.support.installed.synproxy import needs_synproxy

pytestmark = [pytest.mark.rpmbuild, needs_root, needs_synproxy]
CONF = "etc/lvs-director/synproxy.conf"


def test_the_package_takes_along_what_was_added(root: Root, workshop: Workshop) -> None:
    rpm = workshop.build("lts", "lvs-director", "1.lvs")
    nft = shutil.which("nft", path="/usr/sbin:/usr/bin")
    assert nft is not None
    synproxy.make(root.path / "trial")
    told = root.shell(f"""
        # A network without IPVS has no setting of it, hence a folder for settings.
        export LVS_ROOT=/trial
        say() {{ in_ lvs-synproxy "$@" 2>&1 || echo "= $?"; }}
        rpm_ -i {rpm}
        say list; say add 192.0.2.1:80; nft list tables
        {copy_program(nft)}
        say add 192.0.2.1:80; nft list tables; cat trial/proc/sys/net/ipv4/vs/conntrack
        rpm_ -U --replacepkgs {rpm}; nft list tables
        rpm_ -e lvs-director; nft list tables; ls trial/run
        cat trial/proc/sys/net/ipv4/vs/conntrack
        """)
    missing, status, first, one, again, gone, *rest = told.splitlines()
    assert (missing, status) == ("lvs-synproxy: nft: not found: dnf install nftables", "= 1")
    assert (first, one, again) == ("table inet lvs_synproxy", "1", "table inet lvs_synproxy")
    assert gone.startswith("lvs-director is gone; ")
    assert rest[1:] == ["0"]


def test_an_edited_list_of_services_is_kept(root: Root, workshop: Workshop) -> None:
    first, second = (workshop.build("lts", "lvs-director", f"{number}.lvs") for number in (1, 2))
    told = root.shell(f"""
        rpm_ -i {first}; echo 192.0.2.1:80 >>{CONF}
        rpm_ -U {second}; tail -n 1 {CONF}; rpm_ -e lvs-director >../told; tail -n 1 {CONF}.rpmsave
        """)
    assert told.splitlines() == ["192.0.2.1:80", "192.0.2.1:80"]
    assert not (root.path / CONF).exists()
