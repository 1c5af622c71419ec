"""Every patch of the kernel series compiles without warnings and is written as the kernel asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.patch.series import load
from builder.stages.products import TREE
from tests.support.kernel import steps
from tests.whole.conftest import Built

pytestmark = [pytest.mark.timeout(3000)]
UNUSED = """\
--- a/net/netfilter/ipvs/ip_vs_toa.c
+++ b/net/netfilter/ipvs/ip_vs_toa.c
@@ -{line},0 +{line},5 @@
+static int ip_vs_unused(void)
+{{
+    u32 x = htonl(1);
+    return x ? -1 : 0;
+}}
"""


def _series(built: Built) -> tuple[Path, ...]:
    folder = built.project.patches / "lts" / "kernel"
    return tuple(folder / patch.name for patch in load(folder).patches)


def test_every_patch_compiles_and_is_clean(built: Built, tmp_path: Path) -> None:
    """Cost: the files of each patch and all of IPVS once, less than two minutes of one CPU."""
    bench = steps.prepare(built.done["unpack:kernel"].path / TREE, tmp_path / "bench")
    series = _series(built)
    assert list(steps.faults(bench, series)) == []
    assert steps.sparse(bench, series) == ""

    # All three would have said so.
    end = (bench.modules / "ip_vs_toa.c").read_text().count("\n")
    worse = tmp_path / "worse.patch"
    worse.write_text(UNUSED.format(line=end))
    assert "no spaces at the start of a line" in steps.checkpatch(bench.tree, worse)
    bench.apply(worse)
    assert "defined but not used" in bench.compile("ip_vs_toa.o")
    assert "incorrect type" in steps.sparse(bench, series)
