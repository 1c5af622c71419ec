"""By hand: ``python -m tests.support.cost VM-FOLDER`` (as ``artifacts/lts/vm``)."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from builder.disk.image import IMAGE
from builder.lab.hosts.network import Image
from tests.support.cost import measure

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.cost", description=__doc__)
    parser.add_argument("vm", type=Path)
    folder = parser.parse_args().vm.resolve()
    line = (folder / "cmdline").read_text(encoding="utf-8").strip()
    image = Image(folder / IMAGE, folder / "vmlinuz", folder / "initrd.img", f"{line} quiet")
    with tempfile.TemporaryDirectory() as scratch:
        print("\n".join(measure.table(measure.measure(image, Path(scratch, "cost")))))
