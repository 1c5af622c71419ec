"""Segments that the lab's client makes by hand; a real kernel serves them, on a loopback alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.lab.capture import files
from builder.lab.capture.packet import FIN, RST, SYN, Packet
from builder.lab.hosts.network import GUEST
from builder.lab.oracle.evidence import Leg, legs_of
from tests.support.lab import namespace

TRAFFIC = str(GUEST / "traffic")
SERVE = ("serve", "web1", "tcp/8080", "udp/5353")
FORGED = ((254, bytes.fromhex("270f01020304")),)


@dataclass(frozen=True)
class Passed:
    """What the commands said, and the packets that they made."""

    said: tuple[str, ...]
    packets: tuple[Packet, ...]

    def leg(self, port: int) -> Leg:
        """The connection from the client's port."""
        return next(one for one in legs_of("lo", self.packets) if one.ends[1] == port)


def drive(folder: Path, *commands: tuple[str, ...]) -> Passed:
    """Run ``traffic`` with each command's words in a namespace in which nothing else runs."""
    space = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    capture = folder / "lo.pcap"
    words = [json.dumps(["perl", TRAFFIC, *command]) for command in commands]
    program = (*space, sys.executable, namespace.__file__, str(capture), *words)
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return Passed(tuple(json.loads(done.stdout)), files.read(capture, "lo").packets)


def exchange(address: str, options: str, hold: float = 0) -> str:
    return f"proof/1,tcp,{address},8080,50026,1300,4000,{hold},{options}"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_segment_of_the_client_has_the_options(tmp_path: Path, address: str) -> None:
    asked = exchange(address, "fe08270f01020304")
    passed = drive(tmp_path, SERVE, ("ask", "10/0", asked))
    assert passed.said == ("", f"proof/1 ok 4000 web1 sees {address} port 50026\n")
    leg = passed.leg(50026)
    assert {one.options for one in leg.there} == {FORGED}
    assert all(one.sums_right for one in leg.there)
    assert len(leg.request.data) > 1300 and not leg.request.gap
    assert leg.packets[0].is_only(SYN)
    ends = [one for one in leg.packets if one.flags & FIN]
    assert {one.source_port for one in ends} == {50026, 8080}, "both ends are closed"
    assert not [one for one in leg.packets if one.flags & RST], "the kernel stays out of it"


def test_a_reset_is_a_failed_exchange(tmp_path: Path) -> None:
    passed = drive(tmp_path, ("ask", "10/0", exchange("127.0.0.1", "fe08270f01020304")))
    assert passed.said == ("proof/1 failed the connection was reset\n",)


def test_a_client_that_stops_in_its_request_goes_on_after_it(tmp_path: Path) -> None:
    passed = drive(tmp_path, SERVE, ("ask", "10/0", exchange("127.0.0.1", "", 0.1)))
    assert passed.said[1] == "proof/1 ok 4000 web1 sees 127.0.0.1 port 50026\n"
    assert len([one for one in passed.leg(50026).there if one.payload]) == 2


def test_a_flood_of_syns_is_from_addresses_in_turn(tmp_path: Path) -> None:
    passed = drive(tmp_path, ("flood", "tcp", "127.0.0.1", "8080", "198.18.0.254", "5", "1000"))
    assert passed.said == ("",)
    sent = [one for one in passed.packets if one.source.startswith("198.18.")]
    assert [one.source for one in sent] == [
        "198.18.0.254",
        "198.18.0.255",
        "198.18.1.0",
        "198.18.1.1",
        "198.18.1.2",
    ]
    assert all(one.is_only(SYN) and one.sums_right and one.port == 8080 for one in sent)
    assert len({one.sequence for one in sent}) == len({one.source_port for one in sent}) == 5


def test_a_flood_of_datagrams_asks_for_answers(tmp_path: Path) -> None:
    passed = drive(tmp_path, ("flood", "udp", "127.0.0.1", "5353", "198.18.0.1", "2", "1000"))
    sent = [one for one in passed.packets if one.source.startswith("198.18.")]
    assert [one.payload for one in sent] == [
        b"client flood/0 wants 0\n",
        b"client flood/1 wants 0\n",
    ]
    assert all(one.sums_right and one.protocol == "udp" for one in sent)


def test_a_bare_ack_belongs_to_nothing(tmp_path: Path) -> None:
    passed = drive(tmp_path, ("ack", "127.0.0.1", "8080"))
    assert passed.said == ("",)
    (sent,) = [one for one in passed.packets if one.port == 8080]
    assert (sent.flag_text, sent.sums_right) == (".", True)
