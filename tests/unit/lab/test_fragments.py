"""Datagrams in fragments through FULLNAT, in captures made by hand, judged as the scenario is.

Each link has its own fragments: a director puts a datagram together and cuts it anew.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from builder.lab import catalogue
from builder.lab.capture import files
from builder.lab.judging import Judged
from builder.lab.oracle import judge
from builder.lab.oracle.evidence import ClientAnswer, Evidence, Exchange
from builder.lab.page import html
from builder.lab.recording import Recording
from builder.lab.scenario.model import Run, Topology
from builder.lab.verdict import RunVerdict, Verdict
from tests.support.lab import frames as made
from tests.support.lab import recordings
from tests.support.lab import wire as hand
from tests.support.lab.frames import Kept

End = tuple[str, int]
SERVERS = {"ipv4": ("10.0.4.2", "10.0.5.2"), "ipv6": ("fd00:4::2", "fd00:5::2")}
LOCAL = {"ipv4": "10.0.3.1", "ipv6": "fd00:3::1"}
ROOM = 1448
"""Bytes of a datagram that go into a fragment by IPv6."""


@dataclass
class Flow:
    """Fragments by link; ``room``: how large those of a link are."""

    run: Run
    topology: Topology
    frames: dict[str, list[bytes | Kept]] = field(default_factory=dict)
    answers: list[ClientAnswer] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    ident: int = 0

    def send(self, link: str, source: End, target: End, payload: bytes, room: int = ROOM) -> None:
        self.ident += 1
        bare = made.bare_udp(payload, (source[1], target[1]))
        body = made.summed(made.UDP, bare, source[0], target[0])
        found = self.frames.setdefault(link, [])
        for at in range(0, len(body), room):
            found.append(self._piece(source[0], target[0], body, at, room))

    def _piece(self, source: str, target: str, body: bytes, at: int, room: int) -> bytes:
        part, more = body[at : at + room], at + room < len(body)
        if len(body) <= room:
            whole = made.ip6 if ":" in source else made.ip4
            return made.ether(whole(made.UDP, body, source=source, target=target))
        if ":" not in source:
            four = made.ip4(
                made.UDP, part, ident=self.ident, offset=at, more=more, source=source, target=target
            )
            return made.ether(four)
        head = made.fragment_header(made.UDP, at, more, self.ident)
        return made.ether(made.ip6(made.FRAGMENT, head + part, source=source, target=target))

    def evidence(self, folder: Path) -> Evidence:
        captures = {}
        for link in self.topology.link:
            for host in self.topology.hosts_on(link):
                place = f"{host}-{link}"
                path = made.pcap(folder / f"{place}.pcap", self.frames.get(link, []))
                captures[place] = files.read(path, place).packets
        counters = {"connections": len(self.exchanges), "fails": 0, "fullnat_add_toa_ok": 0}
        return Evidence(
            self.run,
            hand.SERIES,
            self.topology,
            tuple(self.exchanges),
            captures,
            captures,
            tuple(self.answers),
            counters,
        )

    def judged(self, folder: Path) -> RunVerdict:
        return judge.judge(self.evidence(folder), "")


def healthy(name: str, inside: int = ROOM, send: int = 4000) -> Flow:
    """Two exchanges; ``inside``: how large fragments are there."""
    scenario, topology = catalogue.load("fragments")
    run = next(one for one in scenario.run if one.name == name)
    traffic = msgspec.structs.replace(run.traffic[0], count=2)
    flow = Flow(msgspec.structs.replace(run, traffic=(traffic,)), topology)
    client = "fd00:1::2" if name == "ipv6" else "10.0.1.2"
    for number, server in enumerate(("web1", "web2")):
        exchange = Exchange(f"{name}/{number + 1}", traffic, 50026 + number, client)
        flow.exchanges.append(exchange)
        near, vip = (client, exchange.port), (traffic.address, 53)
        local = (LOCAL[name], 5014 + number)
        far = (SERVERS[name][number], 5353)
        words = f"{server} sees {local[0]} port {local[1]} for {exchange.name}"
        asked = f"client {exchange.name} wants 7000\n".encode().ljust(send, b"?")
        told = f"{words}\n".encode().ljust(7000, b"!")
        flow.send("outer", near, vip, asked)
        flow.send("outer", vip, near, told)
        for link in ("inner", server):
            flow.send(link, local, far, asked, inside)
            flow.send(link, far, local, told, inside)
        flow.answers.append(ClientAnswer(exchange.name, True, words))
    return flow


def outcomes(found: RunVerdict) -> dict[str, str]:
    """Of the rows that do not hold."""
    return {row.name: row.outcome for row in found.rows if row.outcome != "pass"}


@pytest.mark.parametrize("name", ["ipv4", "ipv6"])
@pytest.mark.parametrize("inside", [ROOM, 1200, 1280])
def test_datagrams_are_proven_through_their_fragments(
    tmp_path: Path, name: str, inside: int
) -> None:
    found = healthy(name, inside).judged(tmp_path)
    assert outcomes(found) == {}
    assert found.as_expected
    seen = {row.name: row.seen for row in found.rows}
    assert (
        seen["in-fragments"] == "in 3, 4, 5, 6 fragments" if inside < ROOM else "in 3, 5 fragments"
    )
    assert seen["payload"] == f"{11_000 * 2 * 3} bytes on all links"


def spoil(frame: bytes | Kept, at: int) -> bytes:
    assert isinstance(frame, bytes)
    return frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]


def altered_in_a_later_fragment(flow: Flow) -> None:
    """Its sum is wrong then, which no single fragment shows."""
    for link in ("inner", "web1"):
        flow.frames[link][1] = spoil(flow.frames[link][1], 200)


def sum_of_the_old_addresses(flow: Flow) -> None:
    """The director left the checksum as the client made it; it is in the first fragment."""
    at = 14 + (48 if flow.run.name == "ipv6" else 20) + 6
    for link in ("inner", "web1"):
        old, new = flow.frames["outer"][0], flow.frames[link][0]
        assert isinstance(old, bytes)
        assert isinstance(new, bytes)
        flow.frames[link][0] = new[:at] + old[at : at + 2] + new[at + 2 :]


def lost_on_the_last_link(flow: Flow) -> None:
    del flow.frames["web1"][1]


def lost_from_the_client_on(flow: Flow) -> None:
    for link in ("outer", "inner", "web1"):
        del flow.frames[link][1]


def client_in_a_later_fragment(flow: Flow) -> None:
    """The first fragment was translated, and another one was not."""
    six = flow.run.name == "ipv6"
    old, new = (made.packed(one) for one in (LOCAL[flow.run.name], flow.exchanges[0].client))
    for link in ("inner", "web1"):
        frame = flow.frames[link][1]
        assert isinstance(frame, bytes)
        head = frame[: 14 + (40 if six else 20)].replace(old, new, 1)
        if not six:
            bare = head[14:24] + bytes(2) + head[26:]
            head = head[:24] + struct.pack(">H", made.checksum(bare)) + head[26:]
        flow.frames[link][1] = head + frame[len(head) :]


def cut_capture(flow: Flow) -> None:
    for link, frames in flow.frames.items():
        flow.frames[link] = [Kept(one, 200) for one in frames if isinstance(one, bytes)]


def whole_on_one_link(flow: Flow) -> None:
    """Of a datagram that fits, the server's link has no fragments."""
    flow.frames = healthy(flow.run.name, inside=9000).frames


@pytest.mark.parametrize("name", ["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (altered_in_a_later_fragment, {"checksums": "fail", "payload": "fail"}),
        (sum_of_the_old_addresses, {"checksums": "fail"}),
        (lost_on_the_last_link, {"checksums": "undecided", "payload": "fail"}),
        (lost_from_the_client_on, {"checksums": "undecided", "payload": "fail"}),
        (client_in_a_later_fragment, {"no-client-inside": "fail", "checksums": "undecided"}),
        (cut_capture, {"checksums": "undecided", "ends-agree": "undecided"}),
        (whole_on_one_link, {"in-fragments": "fail"}),
    ],
)
def test_what_is_wrong_with_fragments_is_named(
    tmp_path: Path, name: str, change: Callable[[Flow], None], told: dict[str, str]
) -> None:
    flow = healthy(name)
    change(flow)
    found = flow.judged(tmp_path)
    assert told.items() <= outcomes(found).items()
    assert not found.as_expected


def test_a_request_that_is_in_no_fragments_is_told_from_its_answer(tmp_path: Path) -> None:
    found = healthy("ipv4", send=400).judged(tmp_path)
    assert outcomes(found) == {"in-fragments": "fail"}
    row = next(row for row in found.rows if row.name == "in-fragments")
    assert row.faults[0].expected.startswith("ipv4/1 on link inner, there, in fragments")


def test_datagrams_that_were_cut_off_alike_are_not_the_same_bytes(tmp_path: Path) -> None:
    """Whole ones, of which every capture has the same beginning."""
    flow = healthy("ipv4", inside=9000)
    flow.run = msgspec.structs.replace(flow.run, rows=("payload",))
    flow.frames.clear()
    for exchange in flow.exchanges:
        near, vip = (exchange.client, exchange.port), ("10.0.1.1", 53)
        asked = f"client {exchange.name} wants 0\n".encode().ljust(900, b"?")
        flow.send("outer", near, vip, asked)
        for link in ("inner", "web1"):
            flow.send(link, ("10.0.3.1", exchange.port), ("10.0.4.2", 5353), asked)
    cut_capture(flow)
    assert outcomes(flow.judged(tmp_path)) == {"payload": "undecided"}


@pytest.mark.parametrize("name", ["ipv4", "ipv6"])
def test_what_was_compared_of_datagrams_is_counted(tmp_path: Path, name: str) -> None:
    flow = healthy(name, send=400)
    flow.run = msgspec.structs.replace(flow.run, rows=("payload",))
    (row,) = flow.judged(tmp_path).rows
    assert (row.outcome, row.seen) == ("pass", f"{7400 * 2 * 3} bytes on all links")


def test_the_page_shows_datagrams_and_what_is_undecided(tmp_path: Path) -> None:
    flow = healthy("ipv6")
    lost_on_the_last_link(flow)
    evidence = flow.evidence(tmp_path)
    run = judge.judge(evidence, "")
    verdict = Verdict(
        "fragments", "", "lts", "fail", run.complaint, subject=recordings.TRIED, runs=(run,)
    )
    recording = Recording(recordings.TRIED, *catalogue.load("fragments"), hand.SERIES, 0.0)
    page = html.render(Judged(verdict, recording, (evidence,)), tmp_path)
    assert (
        '<span class="unseen">undecided</span></td><th scope="row" class="name">checksums</th>'
        in page
    )
    assert "undecided: fragments are missing: bytes 1448 to 2895 of the datagram" in page
    assert "udp 4000 bytes in fragments #1, #2, #3" in page


def test_what_cannot_be_looked_into_is_no_proof_of_absence(tmp_path: Path) -> None:
    """A frame with labels (MPLS) may carry anything."""
    flow = healthy("ipv4")
    flow.frames["inner"].append(made.MACS + b"\x88\x47" + bytes(46))
    rows = {"no-client-inside": "undecided", "no-vip-inside": "undecided"}
    assert outcomes(flow.judged(tmp_path)) == rows
