"""lvs-synproxy does what it is told in one place, and leaves no trace when it is told to go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.installed import synproxy
from tests.support.installed.synproxy import Director, needs_synproxy

pytestmark = [needs_synproxy]
FOUR = "192.0.2.1:80 --mss 1452 --wscale 7"
SIX = "[2001:db8::1]:443 --mss 1420 --wscale 7"
TABLE = "table inet lvs_synproxy"


@pytest.fixture
def director(tmp_path: Path) -> Director:
    return synproxy.make(tmp_path)


def test_services_are_listed_as_they_are_added(director: Director) -> None:
    told = director.shell("""
        sp add 192.0.2.1:80; sp add '[2001:DB8:0:0::1]:443'; sp list --check
        sp add 198.51.100.1:25 --mss=1400 --no-sack --mark 7; sp add 192.0.2.1:443 --no-timestamps
        sp list --check; values
        """)
    more = "198.51.100.1:25 --mss 1400 --wscale 7 --no-sack --mark 7"
    less = "192.0.2.1:443 --mss 1452 --no-timestamps"
    first = ["= 0", "= 0", FOUR, SIX, "= 0"]
    second = ["= 0", "= 0", FOUR, SIX, more, less, "= 0", "1", "0"]
    assert told.splitlines() == [*first, *second]


def test_twice_is_once_and_other_options_take_the_place(director: Director) -> None:
    director.conf.write_text(f"# web\n192.0.2.1:80   # as typed\n\n{SIX}")
    told = director.shell("""
        sp apply; handles; sp add 192.0.2.1:80; sp add '[2001:db8:0::1]:443' --wscale 7; handles
        sp add 192.0.2.1:80 --wscale 9; sp list --check; sp del 10.0.0.1:80
        """)
    assert "192.0.2.1:80 --mss 1452 --wscale 9" in director.conf.read_text()
    status, before, one, two, after, *rest = told.splitlines()
    assert (status, one, two, before) == ("= 0", "= 0", "= 0", after)
    assert rest == ["= 0", FOUR.replace("7", "9"), SIX, "= 0", "= 0"]
    assert director.conf.read_text() == f"# web\n{FOUR.replace('7', '9')}\n\n{SIX}\n"


WORDS = {
    "192.0.2.1": "192.0.2.1",
    "192.0.2:80": "192.0.2",
    "192.0.2.256:80": "192.0.2.256",
    "192.0.2.01:80": "192.0.2.01",
    "224.0.0.1:80": "224.0.0.1:80",
    "0.0.0.0:80": "0.0.0.0:80",
    "www.example.org:80": "www.example.org",
    "192.0.2.1:0": "0",
    "192.0.2.1:65536": "65536",
    "192.0.2.1:080": "080",
    "192.0.2.1:http": "http",
    "192.0.2.1:80-90": "192.0.2.1:80-90",
    "2001:db8::1:80": "2001:db8::1:80",
    "'[2001:db8::1]'": "[2001:db8::1]",
    "'[2001:db8::1::]:80'": "[2001:db8::1::]:80",
    "'[1:2:3:4:5:6:7]:80'": "[1:2:3:4:5:6:7]:80",
    "'[1:2:3:4:5:6:7:8:9]:80'": "[1:2:3:4:5:6:7:8:9]:80",
    "'[12345::1]:80'": "[12345::1]:80",
    "'[ff02::1]:80'": "[ff02::1]:80",
    "'[::ffff:c000:201]:80'": "[::ffff:c000:201]:80",
    "'[fe80::1%eth0]:80'": "[fe80::1%eth0]:80",
    "''": "",
    "'192.0.2.1:80 '": "80 ",
    "192.0.2.1:80 192.0.2.1:80": "192.0.2.1:80",
    "192.0.2.1:80 --mss": "--mss",
    "192.0.2.1:80 --mss 12": "12",
    "192.0.2.1:80 --mss 1400 --mss=1400": "--mss",
    "192.0.2.1:80 --wscale 15": "15",
    "192.0.2.1:80 --mark 0": "0",
    "192.0.2.1:80 --mark 4294967296": "4294967296",
    "192.0.2.1:80 --udp": "--udp",
    "192.0.2.1:80 --wscale 7 --no-timestamps": "--wscale",
}


def test_a_wrong_word_is_named_and_nothing_is_changed(director: Director) -> None:
    before = director.conf.read_bytes()
    script = "\n".join(f"sp add {one}; echo ==" for one in WORDS)
    told = director.shell(f"{script}\nnft list ruleset; ls $LVS_ROOT/run; values")
    *each, last = told.split("==\n")
    assert last == "0\n1\n"
    for said, (typed, word) in zip(each, WORDS.items(), strict=True):
        assert f"add: `{word}': " in said, typed
        assert said.endswith("; nothing was changed\n= 2\n"), typed
    assert director.conf.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("192.0.2.1:80 --mss 1", "`1': no MSS"),
        ("[2001:0db8::1]:443", "`[2001:db8::1]:443': given twice"),
        ("192.0.2.1:80 192.0.2.2:80", "one service a line"),
        ("add 192.0.2.1:80", "`add': no port"),
    ],
)
def test_an_error_in_the_file_is_told_by_line(director: Director, line: str, why: str) -> None:
    text = f"{SIX}\n\n{line}\r\n"
    director.conf.write_bytes(text.encode())
    told = director.shell("sp apply; sp add 192.0.2.9:80; sp del --all; nft list ruleset")
    assert told.count(f"/etc/lvs-director/synproxy.conf:3: {why}" if why[0] == "`" else why) == 3
    assert told.count("nothing was changed\n= 2\n") == 3
    assert TABLE not in told
    assert director.conf.read_bytes() == text.encode()


def test_check_only_looks(director: Director) -> None:
    before = director.conf.read_bytes()
    told = director.shell("""
        sp add 192.0.2.1:80 --check; nft list ruleset; sp add 192.0.2.1:80; handles
        sp del --all --check; sp apply --check; handles; sp list
        """)
    one, two, first, three, four, second, *rest = told.splitlines()
    assert {one, two, three, four} == {"= 0"}
    assert first == second
    assert rest == [FOUR, "= 0"]
    assert director.conf.read_bytes() == before + f"{FOUR}\n".encode()


def test_the_last_one_leaves_the_host_as_it_was(director: Director) -> None:
    before = director.conf.read_bytes()
    told = director.shell("""
        sp add 192.0.2.1:80 '[2001:db8::1]:443'; sp del 192.0.2.1:80; sp list --check; values
        sp del '[2001:db8::1]:443'; sp list --check; values; nft list ruleset; sp del --all; sp stop
        """)
    assert told.splitlines() == [
        "= 0",
        "= 0",
        SIX,
        "= 0",
        "1",
        "0",
        *["= 0"] * 2,
        "0",
        "1",
        *["= 0"] * 2,
    ]
    assert director.conf.read_bytes() == before
    assert not list((director.root / "run").iterdir())


def test_settings_of_others_stay(director: Director) -> None:
    (director.root / "proc/sys/net/ipv4/vs/conntrack").write_text("1\n")
    told = director.shell("""
        sp add 192.0.2.1:80; cat $LVS_ROOT/run/sysctl.d/81-lvs-synproxy.conf; values
        sp stop; values; sp apply; echo 7 >$LVS_ROOT/proc/sys/net/ipv4/vs/conntrack
        sp list --check; sp del --all; values
        """)
    assert "\n-net/ipv4/vs/conntrack = 1\n-net/netfilter/nf_conntrack_tcp_loose = 0\n1\n0\n" in told
    assert "= 0\n1\n1\n= 0\n" in told
    assert "lvs-synproxy: net/ipv4/vs/conntrack is 7, not 1\n" in told
    assert told.endswith("= 1\n= 0\n7\n1\n")


def test_a_flush_is_told_and_put_right(director: Director) -> None:
    told = director.shell("""
        sp add 192.0.2.1:80; nft -s list ruleset >/run/a; nft flush ruleset
        sp list --check; sp list; sp apply; sp list --check; nft -s list ruleset | cmp - /run/a
        """)
    gone = f"lvs-synproxy: {TABLE} is not there"
    advice = "lvs-synproxy: not in effect as the file says: lvs-synproxy apply"
    assert told.splitlines() == [
        *("= 0", FOUR, gone, advice, "= 1", FOUR, gone, advice, "= 0", "= 0", FOUR, "= 0"),
    ]


def test_an_edit_by_hand_is_replaced_and_told(director: Director) -> None:
    told = director.shell("""
        sp add 192.0.2.1:80; nft -s list ruleset >/run/a
        nft add rule inet lvs_synproxy syns tcp dport 1 accept
        sp list --check; sp apply; sp list --check; nft -s list ruleset | cmp - /run/a
        """)
    assert told.count(f"{TABLE} was changed by somebody else") == 2
    assert told.endswith(f"made anew from /etc/lvs-director/synproxy.conf\n= 0\n{FOUR}\n= 0\n")


def test_a_table_of_the_same_name_is_left_alone(director: Director) -> None:
    before = director.conf.read_bytes()
    told = director.shell("""
        nft add table inet lvs_synproxy; nft add chain inet lvs_synproxy theirs; handles
        sp add 192.0.2.1:80; sp del --all; sp stop; handles; values
        """)
    first, why, status, *rest = told.splitlines()
    assert why.startswith(f"lvs-synproxy: {TABLE} is not of lvs-synproxy: delete or rename it")
    assert (status, first) == ("= 1", rest[-3])
    assert rest[-2:] == ["0", "1"]
    assert director.conf.read_bytes() == before


def test_an_edit_of_the_file_is_told_until_it_is_applied(director: Director) -> None:
    director.shell("sp add 192.0.2.1:80")
    told = director.shell(f"""
        sp apply; echo '{SIX} # late' >>$LVS_ROOT/etc/lvs-director/synproxy.conf
        sp list --check; sp apply; sp list --check
        """)
    assert "synproxy.conf was changed, and not applied\n" in told
    assert told.endswith(f"= 1\n= 0\n{FOUR}\n{SIX}\n= 0\n")


def test_all_is_there_again_after_a_reboot(director: Director) -> None:
    script = "nft -s list ruleset; values"
    before = director.shell(f"sp add 192.0.2.1:80 '[2001:db8::1]:443' --wscale 9; {script}")
    director.reboot()
    assert director.shell(f"sp apply; {script}") == before
    assert TABLE in before


def test_runs_side_by_side_lose_nothing(director: Director) -> None:
    told = director.shell("""
        for n in 1 2 3 4 5 6 7 8; do sp add 192.0.2.$n:80 >/dev/null & done
        wait; sp list --check | sort
        """)
    wanted = [FOUR.replace(".1:", f".{n}:") for n in range(1, 9)]
    assert [x for x in told.splitlines() if not x.startswith("lvs-synproxy: waits")] == [
        *wanted,
        "= 0",
    ]


def test_a_file_that_cannot_be_written_changes_nothing(director: Director) -> None:
    told = director.shell("""
        mount --bind $LVS_ROOT/etc $LVS_ROOT/etc; mount -o remount,bind,ro $LVS_ROOT/etc
        sp add 192.0.2.1:80; nft list ruleset; values
        """)
    why = "/etc/lvs-director/synproxy.conf: cannot be written; nothing was changed"
    assert told.splitlines() == [f"lvs-synproxy: {why}", "= 1", "0", "1"]
