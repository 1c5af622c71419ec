"""The tools of el6: their specs are what both rpms read, and their scripts do as they say."""

from __future__ import annotations

import pytest

from tests.support.el6.tools import KERNEL, TOOLS, Tree, needs_rpm, tree

__all__ = ["tree"]  # fixtures


@needs_rpm
@pytest.mark.rpmbuild
def test_the_rpms_are_such_as_el6_installs(tree: Tree) -> None:
    tree.headers()
    for name in TOOLS:
        ended = tree.build("-ba", name)
        assert ended.returncode == 0, ended.stderr[-2000:]
        if name == "keepalived":
            tree.install(name)
    allowed = {"/bin/sh", "/bin/bash", "/sbin/chkconfig"}
    for name in TOOLS:
        needed = set(tree.ask(name, "[%{REQUIRENAME}\n]")) - allowed
        needed = {n for n in needed if not n.startswith(("rpmlib(", "config("))}
        own = (
            {"kernel", "keepalived", "ipvsadm", "quagga", "ethtool"}
            if name == "lvs-director"
            else set()
        )
        assert needed == own
        assert tree.ask(name, "%{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO}\n") == ["gzip 8"]
        kinds = dict(
            line.rsplit(" ", 1) for line in tree.ask(name, "[%{FILENAMES} %{FILEFLAGS:fflags}.\n]")
        )
        # Everything in /etc but scripts is the operator's: c is %config, n is noreplace.
        owned = {p for p, flags in kinds.items() if p.startswith("/etc/") and "c" not in flags}
        assert {p for p in owned if "/init.d/" not in p} <= {
            "/etc/keepalived",
            "/etc/quagga",
            "/etc/sysctl.d",
        }
        assert all("n" in flags for flags in kinds.values() if "c" in flags)
    requires = tree.ask("lvs-director", "[%{REQUIRENAME} %{REQUIREVERSION}\n]")
    assert f"kernel {KERNEL}" in requires
    assert "ipvsadm 1:1.26-1.lvs" in requires
    assert "ethtool " in requires
