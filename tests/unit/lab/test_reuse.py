"""Local ports that are used again, and local addresses that change, in captures made by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec
import pytest

from builder.lab import catalogue, experiment
from builder.lab.capture import files
from builder.lab.oracle import judge
from builder.lab.oracle.evidence import Evidence, legs_of
from builder.lab.plan import keepalived
from builder.lab.scenario.model import Run
from builder.lab.verdict import RowVerdict
from tests.support.lab import frames as made
from tests.support.lab import wire as hand
from tests.support.lab.wire import ACK, RST, SYN, Wire
from tests.unit.lab.test_oracle import INSIDE, move

WEB1 = hand.SERVERS["web1"]
FLOOD = ("10.0.3.1", 6000)


def judged(row: str, run: Run, wire: Wire, folder: Path) -> RowVerdict:
    evidence = wire.evidence(msgspec.structs.replace(run, rows=(row,)), folder)
    (found,) = judge.judge(evidence, "").rows
    return found


def syn(wire: Wire, number: int, *, told: bool) -> None:
    """The SYN of a forged address, whose port another one had before; ``told``: it was reset."""
    sent = wire.frames["inner"]
    if number and told:
        sent.append(hand.segment(FLOOD, WEB1, RST, number, 0, b"", b""))
    sent.append(hand.segment(FLOOD, WEB1, SYN, 1000 * number, 0, b"", b""))
    sent.append(hand.segment(WEB1, FLOOD, SYN | ACK, 7, 1000 * number + 1, b"", b""))


def half_open(run: Run, wire: Wire) -> None:
    for number in range(3):
        syn(wire, number, told=True)


def not_told(run: Run, wire: Wire) -> None:
    for number in range(3):
        syn(wire, number, told=number == 1)


def once(run: Run, wire: Wire) -> None:
    syn(wire, 0, told=True)


def closed(run: Run, wire: Wire) -> None:
    """Its port was that of a connection which has ended."""
    once(run, wire)
    local = (hand.LOCAL[0], hand.LOCAL[1])
    wire.frames["inner"].append(hand.segment(local, WEB1, SYN, 5, 0, b"", b""))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [(half_open, "pass"), (not_told, "fail"), (once, "fail"), (closed, "fail")],
)
def test_a_half_open_connections_port_is_taken_and_its_server_told(
    tmp_path: Path, change: Callable[[Run, Wire], None], outcome: str
) -> None:
    run, wire = hand.healthy()
    change(run, wire)
    found = judged("recycled", run, wire, tmp_path)
    assert found.outcome == outcome, found
    if outcome == "pass":
        assert found.seen == "ports taken from half-open connections: 2"
    if change is not_told:
        assert [fault.expected for fault in found.faults] == [
            "a reset to the server before its port's next user"
        ]


def datagram(source: hand.End, target: hand.End, text: str) -> bytes:
    bare = made.bare_udp(text.encode(), (source[1], target[1]))
    body = made.summed(made.UDP, bare, source[0], target[0])
    return made.ether(made.ip4(made.UDP, body, source=source[0], target=target[0]))


def asked(folder: Path, times: int) -> Evidence:
    """Datagrams of several clients from one local port, each of them answered."""
    scenario, topology = catalogue.load("ops")
    run = scenario.run[0]
    evidence = Wire(topology, {}).evidence(run, folder)
    local, server = ("10.0.3.1", 6000), ("10.0.4.2", 5353)
    frames = []
    for number in range(1, times + 1):
        frames.append(datagram(local, server, f"client proof/{number} wants 200\n"))
        frames.append(datagram(server, local, f"web1 sees {number}\n"))
    place = "router-inner"
    packets = files.read(made.pcap(folder / "inner.pcap", frames), place).packets
    captures = {**evidence.captures, place: packets}
    exchanges = experiment.exchanges_of(run, topology)[:times]
    return replace(evidence, exchanges=exchanges, captures=captures, whole=captures)


def test_with_one_packet_scheduling_each_exchange_is_found_although_they_share_a_port(
    tmp_path: Path,
) -> None:
    evidence = asked(tmp_path, 3)
    for number, joined in enumerate(evidence.connections, start=1):
        leg = joined.legs["inner"]
        assert leg.content() == f"client proof/{number} wants 200\n".encode()
        assert [one.payload for one in leg.back] == [f"web1 sees {number}\n".encode()]
    run = msgspec.structs.replace(evidence.run, rows=("recycled",))
    (found,) = judge.judge(replace(evidence, run=run), "").rows
    assert found.seen == "ports taken from half-open connections: 2"


def test_datagrams_without_an_answer_between_them_are_of_one_exchange(tmp_path: Path) -> None:
    ends = (("10.0.1.2", 50026), ("10.0.1.1", 53))
    frames = [datagram(*ends, "a"), datagram(*ends, "b"), datagram(*ends[::-1], "c")]
    packets = files.read(made.pcap(tmp_path / "one.pcap", frames), "client-outer").packets
    (leg,) = legs_of("outer", packets)
    assert (len(leg.there), len(leg.back)) == (2, 1)


def two_addresses(wire: Wire) -> None:
    """The second connection is from another local address."""
    for link in INSIDE:
        for one in wire.frames[link][9 if link == "inner" else 0 :]:
            if link != "web1":
                move(one.data, "10.0.3.1", "10.0.3.11")


def over_before(wire: Wire) -> None:
    """The first connection has ended when the second begins."""


def open_meanwhile(wire: Wire) -> None:
    """The second connection begins and ends in the middle of the first."""
    for link in ("inner", "outer"):
        first, second = wire.frames[link][:9], wire.frames[link][9:]
        wire.frames[link] = [*first[:4], *second, *first[4:]]


def silent_afterwards(wire: Wire) -> None:
    """All data of the first connection came before the second one."""
    open_meanwhile(wire)
    for link in ("inner", "outer"):
        for index in (13, 14):
            wire.tcp(link, index).data = b""


def reset_before(wire: Wire) -> None:
    open_meanwhile(wire)
    local = (hand.LOCAL[0], hand.LOCAL[1])
    wire.frames["inner"].insert(4, hand.segment(local, WEB1, RST, hand.ISN, 0, b"", b""))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (open_meanwhile, "connections that went on: 1"),
        (over_before, "a connection that is open when another local address comes into use"),
        (reset_before, "a connection that is open when another local address comes into use"),
        (silent_afterwards, "data to the server behind the first packet from 10.0.3.11"),
    ],
)
def test_an_open_connection_goes_on_when_another_local_address_comes_into_use(
    tmp_path: Path, change: Callable[[Wire], None], words: str
) -> None:
    run, wire = hand.healthy()
    service = msgspec.structs.replace(run.service[0], local=("10.0.3.1", "10.0.3.11"))
    two_addresses(wire)
    change(wire)
    found = judged("kept-open", msgspec.structs.replace(run, service=(service,)), wire, tmp_path)
    told = [fault.expected for fault in found.faults] if found.faults else [found.seen]
    assert told[0] == words
    assert (found.outcome == "pass") == (change is open_meanwhile)


def test_the_reload_takes_one_local_address_for_the_other_and_adds_a_server(tmp_path: Path) -> None:
    """The scenario's own commands, on the configuration that the lab writes."""
    scenario, _ = catalogue.load("reload")
    proof = scenario.run[0]
    whole = keepalived.configuration(proof)
    (tmp_path / "keepalived.conf").write_text(whole)
    script = "\n".join(
        line for line in proof.prepare[0].run.splitlines() if line.startswith("sed ")
    )
    subprocess.run(("sh", "-euc", script), cwd=tmp_path, check=True)
    before, after = ((tmp_path / f"{name}.conf").read_text() for name in ("keepalived", "after"))
    assert "cp after.conf keepalived.conf" in proof.beside[0].run
    web1, web2 = (
        msgspec.structs.replace(proof.service[0], servers=servers, local=(local,))
        for servers, local in (
            (("10.0.4.2:8080",), "10.0.3.11"),
            (("10.0.4.2:8080", "10.0.5.2:8080"), "10.0.3.12"),
        )
    )
    for text, service in ((before, web1), (after, web2)):
        run = msgspec.structs.replace(proof, service=(service,))
        assert text == keepalived.configuration(run)


def test_the_reload_finds_a_connection_open_that_outlasts_it() -> None:
    """On an emulated processor a client begins late, and keepalived takes seconds to start."""
    scenario, _ = catalogue.load("reload")
    for run in scenario.run[:2]:
        held, others = run.traffic
        first, then, *_ = run.beside[0].run.splitlines()
        assert first.startswith("until") and "ESTABLISHED" in first
        after = int(then.removeprefix("sleep "))
        assert held.beside and held.hold >= after + 20
        assert after + 20 <= others.pause * others.count <= held.hold + others.pause
        assert held.seconds >= 2 * held.hold


@pytest.mark.parametrize("number", range(5))
def test_a_flood_takes_all_ports_and_one_that_must_be_refused_finds_them_taken(number: int) -> None:
    scenario, _ = catalogue.load("syn-flood")
    run = scenario.run[number]
    assert run.local_ports is not None
    ports = range(run.local_ports[0], run.local_ports[1] + 1)
    _, _, kind, address, port, first, count, rate = run.beside[0].run.split()
    (service,), (traffic,) = run.service, run.traffic
    assert (kind, address, int(port)) == (service.protocol, service.address, service.port)
    (route,) = scenario.routes["director"]
    assert ip_address(first) + int(count) in ip_network(route.to)
    assert int(count) > len(ports)
    seconds = int(count) / int(rate)
    if run.control:
        assert traffic.pause > 6 * seconds, "a slow machine, too, takes all ports before it asks"
    else:
        assert traffic.pause * traffic.count < seconds, "the flood lasts as long as the exchanges"
        assert traffic.pause * traffic.count > len(ports) / int(rate) + 2 * traffic.pause
    others = [one.local_ports for one in scenario.run if one is not run]
    assert not any(set(ports) & set(other or ()) for other in others), "none is held from before"


def test_more_clients_ask_than_there_are_ports_without_one_packet_scheduling() -> None:
    scenario, _ = catalogue.load("ops")
    for run in scenario.run:
        assert run.local_ports is not None
        low, high = run.local_ports
        (service,), (traffic,) = run.service, run.traffic
        assert traffic.count > (high - low + 1) * len(service.servers)
