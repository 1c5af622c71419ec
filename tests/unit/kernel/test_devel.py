"""kernel-lvs-devel has all that a module's build reads of a kernel tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.world import ROOT

SCRIPT = ROOT / "specs/lts/kernel/install-devel.sh"
SOURCES = (
    *("Makefile", "Kbuild", "Kconfig", "include/linux/module.h", "include/dt-bindings/gpio/gpio.h"),
    *("include/uapi/linux/input-event-codes.h", "scripts/Makefile.build", "scripts/dtc/dtc.c"),
    *("arch/x86/Makefile", "arch/x86/Makefile_32.cpu", "arch/x86/Kbuild", "arch/x86/Kconfig"),
    *("arch/x86/Kconfig.debug", "arch/x86/include/asm/page.h", "arch/x86/entry/syscalls/x.tbl"),
)
OBJECTS = (
    *(".config", "Makefile", "Module.symvers", "include/generated/autoconf.h"),
    *("scripts/basic/fixdep", "scripts/basic/fixdep.o", "arch/x86/include/generated/asm/x.h"),
    "tools/objtool/objtool",
)


def _lay(top: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"{top.name}\n")
    return top


def test_headers_of_device_trees_are_among_the_headers(tmp_path: Path) -> None:
    """Drivers include <dt-bindings/...> on every architecture; one of them is a link."""
    tree = _lay(tmp_path / "tree", SOURCES)
    objects = _lay(tmp_path / "objects", OBJECTS)
    link = tree / "include/dt-bindings/input/linux-event-codes.h"
    link.parent.mkdir()
    link.symlink_to("../../uapi/linux/input-event-codes.h")
    target = tmp_path / "target"
    subprocess.run(["sh", SCRIPT, tree, objects, target], check=True)
    for name in ("gpio/gpio.h", "input/linux-event-codes.h"):
        assert (target / "include/dt-bindings" / name).read_text() == "tree\n"
    assert (target / "Makefile").read_text() == "tree\n"
    assert (target / "scripts/basic/fixdep").exists()
    assert not (target / "scripts/basic/fixdep.o").exists()
    assert not (target / "scripts/dtc").exists()
