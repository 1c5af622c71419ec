"""What root reads and runs, nobody else can change."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

PACKAGES = (
    *(("lts", name) for name in ("frr", "keepalived", "ipvsadm", "lvs-director", "kernel")),
    *(("el6", name) for name in ("quagga", "keepalived", "ipvsadm", "lvs-director")),
)
# vtysh gives it to frr whenever it writes it; it is read by vtysh alone, which has no command that
# runs programs (no --enable-shell-access), and passed to daemons that run as frr anyway.
FRRS_OWN = {"/etc/frr/frr.conf": "frr frr", "/run/frr": "frr frr"}
AS_FRR = "in_ setpriv --reuid=frr --regid=frr --init-groups"
AS_ANN = "in_ setpriv --reuid=ann --regid=ann --init-groups"


@pytest.fixture(scope="module")
def frr(workshop: Workshop) -> Path:
    return workshop.build("lts", "frr", "1.lvs")


@pytest.mark.parametrize(("profile", "name"), PACKAGES)
def test_every_file_is_roots(profile: str, name: str, workshop: Workshop) -> None:
    rpm = workshop.build(profile, name, "7.lvs")
    query = "[%{FILENAMES}|%{FILEMODES:octal}|%{FILEUSERNAME}|%{FILEGROUPNAME}\n]"
    words = ["rpm", "-qp", "--qf", query, str(rpm)]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert listed
    for line in listed.splitlines():
        place, mode, user, group = line.split("|")
        if place in FRRS_OWN:
            assert f"{user} {group}" == FRRS_OWN[place]
            continue
        assert user == "root", line
        # Links have no modes of their own.
        assert mode.startswith("12") or not int(mode, 8) & 0o022, line
        assert group == "root" or not int(mode, 8) & 0o020, line


def test_frr_cannot_change_what_root_sources(root: Root, frr: Path) -> None:
    told = root.shell(f"""
        rpm_ -i {frr}
        for script in 'echo reboot >>/etc/frr/daemons' 'mv /etc/frr/daemons /etc/frr/d' \\
            'echo reboot >/etc/frr/daemons.conf' 'rm -f /etc/frr/daemons' \\
            'echo x >>/etc/frr/vtysh.conf' 'chmod 0666 /etc/frr/daemons' \\
            'mv /etc/frr/frr.conf /etc/frr/f'; do
            ! {AS_FRR} sh -c "$script" 2>/dev/null || echo "frr can: $script"
        done
        {AS_FRR} cat /etc/frr/daemons /etc/frr/frr.conf >/dev/null
        {AS_FRR} sh -c 'echo ! >>/etc/frr/frr.conf'
        """)
    assert told == ""


def test_a_member_of_frrvty_reads_what_vtysh_reads(root: Root, frr: Path) -> None:
    told = root.shell(f"""
        rpm_ -i {frr}
        in_ useradd -M -U -G frrvty ann
        {AS_ANN} cat /etc/frr/vtysh.conf
        for file in frr.conf daemons; do ! {AS_ANN} cat /etc/frr/$file 2>/dev/null; done
        in_ useradd -M -U bob
        ! in_ setpriv --reuid=bob --regid=bob --init-groups cat /etc/frr/vtysh.conf 2>/dev/null
        """)
    assert "service integrated-vtysh-config" in told


def test_an_upgrade_takes_from_frr_what_it_had(root: Root, workshop: Workshop, frr: Path) -> None:
    """Also a file that was edited, of which rpm leaves the owner as it is."""
    root.shell(f"rpm_ -i {frr}; in_ chown -R frr:frr /etc/frr; echo '# mine' >>etc/frr/daemons")
    second = workshop.build("lts", "frr", "2.lvs")
    told = root.shell(f"""
        rpm_ -U {second}
        cd etc/frr
        stat -c '%n %a %u' . daemons vtysh.conf
        tail -n 1 daemons
        """)
    assert told.splitlines() == [". 750 0", "daemons 640 0", "vtysh.conf 640 0", "# mine"]


def test_an_upgrade_leaves_a_mode_that_the_site_chose(
    root: Root, workshop: Workshop, frr: Path
) -> None:
    second = workshop.build("lts", "frr", "2.lvs")
    told = root.shell(f"""
        rpm_ -i {frr}
        echo '# mine' >>etc/frr/daemons
        chmod 0600 etc/frr/daemons; in_ chown root:root /etc/frr/daemons
        rpm_ -U {second}
        stat -c '%a %u %g' etc/frr/daemons
        """)
    assert told == "600 0 0\n"
