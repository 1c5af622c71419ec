"""What the units of profile lts promise, read from the files that operators get."""

from __future__ import annotations

import re

from builder import text
from builder.host.paths import find_project

KEEPALIVED = find_project().specs / "lts" / "keepalived"
PATCHES = find_project().patches / "lts" / "keepalived"


def _settings(name: str) -> dict[str, list[str]]:
    """By key, its values in their order: a list is a sequence of commands (systemd.service(5))."""
    found: dict[str, list[str]] = {}
    for line in text.read(KEEPALIVED / name).splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_keepalived_tests_its_configuration_with_the_options_that_it_runs_with() -> None:
    unit = _settings("keepalived.service")
    test = "/usr/sbin/keepalived --config-test $KEEPALIVED_OPTIONS"
    assert unit["ExecStartPre"] == [test]
    assert unit["ExecReload"] == [test, "/usr/bin/kill -HUP $MAINPID"]
    assert unit["ExecStart"][0].endswith(" $KEEPALIVED_OPTIONS")


def test_systemd_waits_longer_for_keepalived_than_keepalived_for_its_children() -> None:
    patches = "".join(text.read(patch) for patch in sorted(PATCHES.glob("*.patch")))
    waits = re.findall(r"^\+#define CHILD_WAIT_SECS\s+(\d+)$", patches, re.MULTILINE)
    (patience,) = _settings("keepalived.service")["TimeoutStopSec"]
    assert int(patience) > int(waits[0]) >= 60
    assert _settings("keepalived.service")["TimeoutStartSec"] == [patience]
