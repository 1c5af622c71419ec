"""lvs-synproxy beside keepalived, whose list has the services with ``syn_proxy``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.installed import synproxy
from tests.support.installed.synproxy import LIST, Director, needs_synproxy

pytestmark = [needs_synproxy]
OURS = "192.0.2.1:80 --mss 1452 --wscale 7"
SIX = "[2001:db8::1]:443 --mss 1420 --wscale 7 # keepalived"
THEIRS = "192.0.2.2:80 --mss 1452 --wscale 7 # keepalived"
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>/run/asked
[ "$1" != is-active ] || { cat /run/state; [ "$(cat /run/state)" = active ]; }
"""


@pytest.fixture
def director(tmp_path: Path) -> Director:
    return synproxy.make(tmp_path)


def test_both_lists_are_in_effect_and_each_stays_its_owners(director: Director) -> None:
    before = director.conf.read_bytes()
    director.keepalived("192.0.2.2:80", "[2001:db8::1]:443")
    told = director.shell(f"""
        sp apply; sp list --check; sp add 192.0.2.1:80; sp list --check
        nft list ruleset | grep -c ' 192.0.2.[12] . 80'
        rm $LVS_ROOT/{LIST}; sp list --check; sp apply; sp list --check
        sp del --all; nft list ruleset; values
        """)
    late = "lvs-synproxy: /etc/lvs-director/synproxy.conf was changed, and not applied"
    advice = "lvs-synproxy: not in effect as the file says: lvs-synproxy apply"
    assert told.splitlines() == [
        *("= 0", THEIRS, SIX, "= 0"),
        *("= 0", OURS, THEIRS, SIX, "= 0", "2"),
        *(OURS, late, advice, "= 1", "= 0", OURS, "= 0"),
        *("= 0", "0", "1"),
    ]
    assert director.conf.read_bytes() == before


def test_options_given_by_hand_hold_and_the_service_outlives_keepalived(director: Director) -> None:
    director.keepalived("192.0.2.2:80")
    told = director.shell(f"""
        sp add 192.0.2.2:80 --mss 1300; sp list --check; nft list ruleset | grep -c 'mss 1300'
        rm $LVS_ROOT/{LIST}; sp apply; sp list --check
        """)
    line = "192.0.2.2:80 --mss 1300 --wscale 7"
    assert told.splitlines() == ["= 0", line, "= 0", "2", "= 0", line, "= 0"]


def test_del_says_what_keepalived_keeps(director: Director) -> None:
    director.keepalived("192.0.2.2:80", "192.0.2.3:80")
    told = director.shell("""
        sp add 192.0.2.2:80 192.0.2.1:80; sp del 192.0.2.1:80 192.0.2.2:80; sp list
        sp del --all; sp list --check
        """)
    one = "lvs-synproxy: `192.0.2.2:80': stays, keepalived has it (syn_proxy)"
    every = "lvs-synproxy: services of keepalived stay (syn_proxy)"
    both = [THEIRS, THEIRS.replace("2:80", "3:80")]
    assert told.splitlines() == ["= 0", one, "= 0", *both, "= 0", every, "= 0", *both, "= 0"]


def test_a_line_of_keepalived_that_is_wrong_is_told_and_the_others_hold(
    director: Director,
) -> None:
    director.keepalived("224.0.0.1:80", "192.0.2.2:80 192.0.2.3:80", "192.0.2.2:80", "192.0.2.2:80")
    told = director.shell("sp apply; sp list --check")
    wrong = (
        f"lvs-synproxy: /{LIST}:2: `224.0.0.1:80': not an address of a service; passed over",
        f"lvs-synproxy: /{LIST}:3: `192.0.2.3:80': one service a line; passed over",
    )
    assert told.splitlines() == [*wrong, "= 0", *wrong, THEIRS, "= 0"]


def test_what_is_in_effect_is_not_touched(director: Director) -> None:
    director.keepalived("192.0.2.2:80", "192.0.2.3:80")
    told = director.shell("sp apply; nft list tables; handles; sp apply; handles")
    director.keepalived("192.0.2.3:80", "192.0.2.2:80")
    status, table, first, again, second = told.splitlines()
    assert (status, table, again, first) == ("= 0", "table inet lvs_synproxy", "= 0", second)
    assert director.shell("sp apply; handles") == f"= 0\n{first}\n"


def test_a_reboot_leaves_what_was_added_by_hand(director: Director) -> None:
    director.keepalived("192.0.2.2:80")
    director.shell("sp add 192.0.2.1:80")
    director.reboot()
    assert director.shell("sp apply; sp list --check").splitlines() == ["= 0", OURS, "= 0"]


def _fake_systemd(director: Director, state: str) -> str:
    """Commands that put a systemctl in place, which tells this state and records its words."""
    program = director.root / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    (director.root / "run/systemd/system").mkdir(parents=True)
    present = shutil.which("systemctl", path="/usr/sbin:/usr/bin:/sbin:/bin")
    bind = f"mount --bind {program} {os.path.realpath(present)}" if present else "true"
    return f"{bind}; PATH=$PATH:{director.root}; echo {state} >/run/state; : >/run/asked"


@pytest.mark.parametrize(
    ("state", "starts"),
    [
        ("inactive", True),
        ("failed", True),
        ("active", False),
        ("activating", False),
        ("reloading", False),
    ],
)
def test_the_unit_that_restores_it_behind_nftables_is_started(
    director: Director, state: str, starts: bool
) -> None:
    """``apply`` of the unit itself, and of keepalived while the unit runs, need not start it."""
    systemd = _fake_systemd(director, state)
    director.keepalived("192.0.2.2:80")
    told = director.shell(f"{systemd}; sp apply; cat /run/asked")
    status, first, *rest = told.splitlines()
    assert (status, first) == ("= 0", "is-active lvs-synproxy.service")
    assert rest == ["--quiet --no-block start lvs-synproxy.service"] * starts


def test_apply_without_keepalived_starts_no_unit(director: Director) -> None:
    systemd = _fake_systemd(director, "inactive")
    director.conf.write_text("192.0.2.1:80\n")
    assert director.shell(f"{systemd}; sp apply; cat /run/asked") == "= 0\n"
