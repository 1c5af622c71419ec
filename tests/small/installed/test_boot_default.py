"""A newer kernel of the distribution does not become the boot default of a director."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed.distribution import Stub
from tests.support.installed.hollow import Workshop
from tests.support.installed.root import Root, needs_root

pytestmark = [pytest.mark.rpmbuild, needs_root]

# The boot menu's default is a line of /default.
GRUBBY = """\
#!/bin/sh
case $1 in
--default-kernel) cat /default ;;
--set-default=*) echo "${1#*=}" >/default ;;
esac
"""


@dataclass(frozen=True)
class Distribution:
    """Its kernel's package, and the scriptlet in which it makes itself the default."""

    profile: str
    package: str
    scriptlet: str
    ours: str

    def kernel(self, number: int, top: Path) -> Path:
        release = f"{number}.distro"
        default = f"/sbin/grubby --set-default=/boot/vmlinuz-{release}"
        files = (f"/lib/modules/{release}/modules.order",)
        scripts = f"%{self.scriptlet}\n{default}"
        return Stub(self.package, "9", release, files, scripts=scripts).build(top)


EL6 = Distribution("el6", "kernel", "post", "/boot/vmlinuz-2.6.32-220.23.1.el6.lvs.x86_64")
EL9 = Distribution("lts", "kernel-core", "posttrans", "/boot/vmlinuz-6.1.")


@pytest.mark.parametrize("distribution", [EL6, EL9], ids=["el6", "el9"])
def test_a_newer_kernel_leaves_ours_the_default_and_another_choice_as_it_is(
    distribution: Distribution, root: Root, workshop: Workshop, tmp_path: Path
) -> None:
    first, second, third = (distribution.kernel(number, tmp_path / "stubs") for number in (1, 2, 3))
    director = workshop.build(distribution.profile, "lvs-director", "7.lvs")
    listed = root.shell(f"rpm -qp --triggers --filetriggers {director}")
    ours = next(word for word in listed.split() if word.startswith(distribution.ours))
    root.write("usr/sbin/grubby", GRUBBY, 0o755)
    (root.path / "var/run").mkdir(parents=True)
    told = root.shell(f"""
        rpm_ -i {first}; cat default
        rpm_ -i {director}; cat default
        echo {ours} >default
        rpm_ -i {second}; cat default
        echo /boot/vmlinuz-1.distro >default
        rpm_ -i {third}; cat default
        ls run var/run 2>/dev/null | grep lvs-director || :
        """)
    names = [line.removeprefix("/boot/vmlinuz-") for line in told.splitlines()]
    kept = ours.removeprefix("/boot/vmlinuz-")
    assert names == ["1.distro", "1.distro", kept, "3.distro"]
