"""What a client of a service with SYNPROXY gets, through this machine's own kernel.

The service is a server of the director's own here: IPVS behind it is the lab's business.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.installed import handshake, synproxy
from tests.support.installed.synproxy import Director, needs_synproxy

pytestmark = [needs_synproxy]
LONG, SHORT = 20, 0.5
"""Seconds for an answer that comes, and for one that never does."""
NETWORK = f"""
    client() {{ ip netns exec client "$@"; }}
    ask() {{ client {sys.executable} -I {handshake.__file__} ask "$@"; }}
    ip link set lo up; ip netns add client
    ip link add eth0 type veth peer name eth0 netns client
    ip address add 10.9.0.1/24 dev eth0; ip address add fd09::1/64 dev eth0 nodad
    for one in 10.9.0.2/24 10.9.0.66/24; do client ip address add $one dev eth0; done
    client ip address add fd09::2/64 dev eth0 nodad
    ip link set eth0 up; client ip link set eth0 up
    mkfifo /run/door
    {sys.executable} -I {handshake.__file__} serve 80 >/run/door 2>&1 &
    trap "kill $!" EXIT; read -r word </run/door
    four() {{ ask 10.9.0.1 80 "$@"; }}
    six() {{ ask fd09::1 80 fd09::2 {LONG}; }}
"""


@pytest.fixture
def director(tmp_path: Path) -> Director:
    return synproxy.make(tmp_path)


def test_clients_are_offered_what_the_options_say(director: Director) -> None:
    told = director.shell(f"""
        {NETWORK}
        both() {{ sp add 10.9.0.1:80 '[fd09::1]:80' "$@"; four 10.9.0.2 {LONG}; six; }}
        both; both --mss 1300 --wscale 9; both --no-sack; both --no-timestamps
        """)
    assert told.splitlines() == [
        *("= 0", "1452, wscale 7, SACK, timestamps: hello"),
        "1420, wscale 7, SACK, timestamps: hello",
        *("= 0", *["1300, wscale 9, SACK, timestamps: hello"] * 2),
        *("= 0", "1452, wscale 7, timestamps: hello", "1420, wscale 7, timestamps: hello"),
        *("= 0", "1452: hello", "1420: hello"),
    ]


def test_a_firewall_decides_who_is_answered(director: Director) -> None:
    """It drops what is invalid, as the ACK of a handshake is, and one source."""
    told = director.shell(f"""
        {NETWORK}
        sp add 10.9.0.1:80
        nft -f - <<'RULES'
        table inet firewall {{
            chain input {{
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                ct state invalid drop
                ip saddr 10.9.0.66 drop
                tcp dport 80 accept
            }}
        }}
RULES
        four 10.9.0.2 {LONG}; four 10.9.0.66 {SHORT}
        """)
    assert told.splitlines() == ["= 0", "1452, wscale 7, SACK, timestamps: hello", "no answer"]


def test_a_client_that_does_not_answer_leaves_nothing(director: Director) -> None:
    """The server knows it not, as a connection that is opened has an entry of conntrack."""
    count = "cat /proc/sys/net/netfilter/nf_conntrack_count"
    told = director.shell(f"""
        {NETWORK}
        drop='type filter hook input priority filter; policy drop;'
        client nft "add table t; add chain t c {{ $drop }}"
        sp add 10.9.0.1:80; four 10.9.0.2 {SHORT}; {count}
        client nft flush ruleset; four 10.9.0.2 {LONG}; {count}
        """)
    status, nothing, before, answered, after = told.splitlines()
    assert (status, nothing, before) == ("= 0", "no answer", "0")
    assert answered.endswith(": hello")
    assert after == "1"
