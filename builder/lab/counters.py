"""What a director counts: ``ipvsadm -G`` in either series' form, and 2.6.32's statistics."""

from __future__ import annotations

import re
from collections.abc import Mapping

COMMAND = """
ipvsadm -L -n
ipvsadm -G -n 2>/dev/null || ipvsadm -G
[ ! -f /proc/net/ip_vs_ext_stats ] || cat /proc/net/ip_vs_ext_stats
"""
_CURRENT = re.compile(r"^ *=> \S+ +(\d+) +(\d+) +(\d+) *$", re.MULTILINE)
"""ipvsadm 1.31 with our patches: connections, conflicts, fails."""
_CLASSIC = re.compile(r"^ {10,}\d+\.\d+\.\d+\.\d+ +(\d+) +(\d+) *$", re.MULTILINE)
"""lvs-tools' ipvsadm 1.26: conflicts, connections."""
_STATISTIC = re.compile(
    r"^(fullnat_(?:add_)?toa_\w+|synproxy_\w+)\s*:((?:\s+\d+)+)\s*$", re.MULTILINE
)
"""One number per processor."""
_NOW = "connections"
"""How many there are at present."""
_EACH = (_NOW, "conflicts", "fails")


def parse(text: str) -> dict[str, int]:
    """All counters that a text has, by name; sums over local addresses and processors."""
    found: dict[str, int] = {}
    current, classic = _CURRENT.findall(text), _CLASSIC.findall(text)
    if current:
        found = dict(
            zip(_EACH, (sum(map(int, one)) for one in zip(*current, strict=True)), strict=True)
        )
    elif classic:
        conflicts, connections = (sum(map(int, one)) for one in zip(*classic, strict=True))
        found = {"connections": connections, "conflicts": conflicts}
    for name, numbers in _STATISTIC.findall(text):
        found[name] = sum(map(int, numbers.split()))
    return found


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Counters in between, which run from boot on; of connections, those at the end."""
    return {
        name: value if name == _NOW else value - before.get(name, 0)
        for name, value in after.items()
    }
