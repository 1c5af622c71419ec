"""An upgrade leaves services as their administrator has them."""

from __future__ import annotations

import pytest

from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]


UNITS = {name: name for name in ("frr", "keepalived", "ipvsadm")} | {"lvs-synproxy": "lvs-director"}


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_off_at_first_and_as_it_was_after_an_upgrade(
    unit: str, root: Root, workshop: Workshop
) -> None:
    first, second = (workshop.build("lts", UNITS[unit], f"{number}.lvs") for number in (1, 2))
    told = root.shell(f"""
        is() {{ in_ systemctl is-enabled {unit}.service || :; }}
        rpm_ -i {first}; is
        in_ systemctl enable {unit}.service 2>/dev/null; rpm_ -U {second}; is
        in_ systemctl disable {unit}.service 2>/dev/null; rpm_ -U --oldpackage {first}; is
        in_ systemctl mask {unit}.service 2>/dev/null; rpm_ -U {second}; is
        """)
    assert told.splitlines() == ["disabled", "enabled", "disabled", "masked"]


@pytest.mark.parametrize("name", ["lvs-director", "keepalived", "ipvsadm", "quagga"])
def test_el6_registers_a_service_once(name: str, root: Root, workshop: Workshop) -> None:
    """chkconfig --add gives a service that was taken out its default levels again."""
    root.write("usr/sbin/chkconfig", '#!/bin/sh\necho "$@" >>/told\n', 0o755)
    first, second = (workshop.build("el6", name, f"{number}.lvs") for number in (1, 2))
    told = root.shell(f"""
        rpm_ -i {first}; cat told; rm told; echo --
        rpm_ -U {second}; [ ! -e told ] || cat told; echo --
        rpm_ -e {name}; cat told
        """)
    services = ("zebra", "ospfd", "ospf6d") if name == "quagga" else (name,)
    added, again, taken = (part.split("\n")[:-1] for part in told.split("--\n"))
    assert added == [f"--add {service}" for service in services]
    assert again == []
    assert sorted(taken) == sorted(f"--del {service}" for service in services)
