"""The oracle passes what is right, and names each fault by its row, packet and expectation."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builder.errors import SmokeError
from builder.lab.capture import files
from builder.lab.oracle import judge, views
from builder.lab.oracle.evidence import ClientAnswer
from builder.lab.oracle.rows import ROWS
from builder.lab.scenario.model import Run
from builder.lab.verdict import RunVerdict
from tests.support.lab import wire as hand
from tests.support.lab.wire import Wire

INSIDE = ("inner", "web1", "web2")


def verdict(run: Run, wire: Wire, folder: Path) -> RunVerdict:
    return judge.judge(wire.evidence(run, folder), "")


def failed(found: RunVerdict) -> set[str]:
    return {row.name for row in found.rows if row.outcome == "fail"}


def test_a_faultless_capture_passes_every_row(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    found = verdict(run, wire, tmp_path)
    assert failed(found) == set()
    assert found.as_expected and not found.complaint
    assert {row.outcome for row in found.rows} == {"pass"}


def wrong_source(wire: Wire) -> None:
    """An address of the director that is none of the service's local ones."""
    wire.each(lambda ip: move(ip, "10.0.3.1", "10.0.3.11"), *INSIDE)


def move(ip: object, old: str, new: str) -> None:
    for name in ("src", "dst"):
        if getattr(ip, name) == socket.inet_aton(old):
            setattr(ip, name, socket.inet_aton(new))


def port_out_of_range(wire: Wire) -> None:
    for link in ("inner", "web1"):
        for index in range(9):
            tcp = wire.tcp(link, index)
            tcp.sport, tcp.dport = (
                4999 if tcp.sport == 5014 else tcp.sport,
                4999 if tcp.dport == 5014 else tcp.dport,
            )
    wire.answers[0] = ClientAnswer("proof/1", True, "web1 sees 10.0.3.1 port 4999")


def leaked_client(wire: Wire) -> None:
    """One packet that went past the translation."""
    for link in ("inner", "web1"):
        move(wire.ip(link, 2), "10.0.3.1", "10.0.1.2")


def leaked_vip(wire: Wire) -> None:
    for link in ("inner", "web1"):
        move(wire.ip(link, 1), "10.0.3.1", "10.0.1.1")


def leaked_server(wire: Wire) -> None:
    move(wire.ip("outer", 5), "10.0.1.1", "10.0.4.2")


def missing_toa(wire: Wire) -> None:
    for link in ("inner", "web1"):
        _options(wire, link, 0, hand.MSS + hand.TIMESTAMP)


def toa_of_another(wire: Wire) -> None:
    other = hand.toa(("10.0.1.2", 50027))
    for link in ("inner", "web1"):
        _options(wire, link, 0, other + hand.MSS + hand.TIMESTAMP)


def toa_behind_others(wire: Wire) -> None:
    for link in ("inner", "web1"):
        _options(wire, link, 0, hand.MSS + hand.toa(hand.CLIENT) + hand.TIMESTAMP)


def no_toa_on_data(wire: Wire) -> None:
    for link in ("inner", "web1"):
        _options(wire, link, 3, hand.TIMESTAMP)


def toa_on_later_data(wire: Wire) -> None:
    for link in ("inner", "web1"):
        _options(wire, link, 4, hand.toa(hand.CLIENT) + hand.TIMESTAMP)


def mss_not_lowered(wire: Wire) -> None:
    _options(wire, "outer", 1, hand.MSS + hand.TIMESTAMP)


def other_timestamp(wire: Wire) -> None:
    stamp = hand.TIMESTAMP[:4] + (8).to_bytes(4, "big") + bytes(4)
    for link in ("inner", "web1"):
        _options(wire, link, 0, hand.toa(hand.CLIENT) + hand.MSS + stamp)


def _options(wire: Wire, link: str, index: int, options: bytes) -> None:
    tcp = wire.tcp(link, index)
    tcp.opts, tcp.off = options, 5 + len(options) // 4


def altered_payload(wire: Wire) -> None:
    """On the last link, its checksum made right again."""
    tcp = wire.tcp("web1", 4)
    tcp.data = tcp.data[:100] + b"\0" + tcp.data[101:]


def altered_answer(wire: Wire) -> None:
    tcp = wire.tcp("outer", 5)
    tcp.data = tcp.data[:-1] + b"!"


def lost_segment(wire: Wire) -> None:
    del wire.frames["web1"][4]


def swapped_server(wire: Wire) -> None:
    """web2 says that it answered what was sent to web1."""
    wire.answers[0] = ClientAnswer("proof/1", True, "web2 sees 10.0.3.1 port 5014")
    wire.answers[1] = ClientAnswer("proof/2", True, "web1 sees 10.0.3.1 port 5015")


def missing_first_packet(wire: Wire) -> None:
    del wire.frames["inner"][0]


def wrong_acknowledgement(wire: Wire) -> None:
    tcp = wire.tcp("outer", 1)
    tcp.ack = tcp.ack + 1


def shifted_numbers(wire: Wire) -> None:
    tcp = wire.tcp("inner", 8)
    tcp.seq = tcp.seq + 5


def other_initial_number(wire: Wire) -> None:
    """All of the client's numbers are moved, as the series of 2.6.32 does it."""
    for link in ("inner", "web1"):
        for index in range(9):
            tcp = wire.tcp(link, index)
            if tcp.dport == 8080:
                tcp.seq += 7
            else:
                tcp.ack += 7


def wrong_checksum(wire: Wire) -> None:
    """TCP's: two bytes at 50 of an Ethernet frame."""
    wire.bad_sums.append(wire.frames["outer"][4])


def one_end_lacks_a_packet(wire: Wire) -> None:
    wire.only["web1-web1"] = wire.frames["web1"][:-1]


def answer_elsewhere(wire: Wire) -> None:
    """The server's answer is for a port that the director did not use."""
    for link in ("inner", "web1"):
        tcp = wire.tcp(link, 1)
        tcp.dport = 5999


def outer_answer_from_elsewhere(wire: Wire) -> None:
    tcp = wire.tcp("outer", 1)
    tcp.sport = 81


def no_answer(wire: Wire) -> None:
    wire.answers[1] = ClientAnswer("proof/2", False, "connect: Connection refused")


def one_server_only(wire: Wire) -> None:
    wire.answers[1] = ClientAnswer("proof/2", True, "web1 sees 10.0.3.1 port 5015")


def failures_counted(wire: Wire) -> None:
    wire.counters["fails"] = 3


Spoil = Callable[[Wire], None]
# A fault, the rows that must name it, and all others that it touches as well.
FAULTS: tuple[tuple[Spoil, set[str], set[str]], ...] = (
    (wrong_source, {"inner-source"}, set()),
    (port_out_of_range, {"inner-source"}, set()),
    (leaked_client, {"no-client-inside"}, {"sequence-delta"}),
    (leaked_vip, {"no-vip-inside", "reply-destination"}, {"mss", "sequence-delta", "payload"}),
    (leaked_server, {"no-inside-outside", "payload"}, {"sequence-delta"}),
    (missing_toa, {"toa-first"}, set()),
    (toa_of_another, {"toa-first"}, set()),
    (toa_behind_others, {"toa-first"}, set()),
    (no_toa_on_data, {"toa-on-data"}, set()),
    (toa_on_later_data, {"no-toa-later"}, set()),
    (mss_not_lowered, {"mss"}, set()),
    (other_timestamp, {"timestamp"}, set()),
    (altered_payload, {"payload"}, set()),
    (altered_answer, {"payload"}, {"sequence-delta"}),
    (lost_segment, {"payload"}, set()),
    (swapped_server, {"same-server"}, set()),
    (missing_first_packet, {"first-packet"}, {"toa-first", "reply-destination", "sequence-delta"}),
    (wrong_acknowledgement, {"outer-reply"}, {"sequence-delta"}),
    (shifted_numbers, {"sequence-delta"}, set()),
    (other_initial_number, {"sequence", "sequence-delta"}, set()),
    (wrong_checksum, {"checksums"}, set()),
    (one_end_lacks_a_packet, {"ends-agree"}, set()),
    (answer_elsewhere, {"reply-destination"}, {"mss", "sequence-delta", "payload"}),
    (outer_answer_from_elsewhere, {"outer-reply"}, {"mss", "sequence-delta", "payload"}),
    (no_answer, {"answered"}, set()),
    (one_server_only, {"in-turn", "same-server"}, set()),
    (failures_counted, {"counters"}, set()),
)


@pytest.mark.parametrize(
    ("spoil", "named", "touched"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS]
)
def test_each_fault_is_named(
    tmp_path: Path, spoil: Spoil, named: set[str], touched: set[str]
) -> None:
    run, wire = hand.healthy()
    spoil(wire)
    found = verdict(run, wire, tmp_path)
    assert named <= failed(found)
    assert failed(found) <= named | touched
    assert not found.as_expected
    for row in found.rows:
        assert row.outcome != "fail" or all(fault.expected for fault in row.faults)


def test_a_failed_row_shows_the_packets_and_what_was_expected(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    missing_toa(wire)
    found = verdict(run, wire, tmp_path)
    row = next(row for row in found.rows if row.name == "toa-first")
    (fault,) = row.faults
    assert fault.expected.startswith("TOA 10.0.1.2:50026 (kind 254) as the first option")
    assert (fault.packets[0].capture, fault.packets[0].frame) == ("router-inner", 1)
    assert "10.0.3.1:5014 > 10.0.4.2:8080 [S]" in fault.packets[0].text


def test_a_negative_control_that_passes_is_a_broken_lab(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    control = msgspec.structs.replace(run, must_fail=("toa-first",), only=True)
    found = verdict(control, wire, tmp_path)
    assert not found.as_expected
    assert "the lab is broken: toa-first should have failed" in found.complaint
    missing_toa(wire)
    assert verdict(control, wire, tmp_path).as_expected


def test_a_negative_control_whose_rows_are_all_unsupported_controls_nothing(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    control = msgspec.structs.replace(run, must_fail=("toa-first",))
    series = msgspec.structs.replace(hand.SERIES, unsupported={"toa-first": "it has none"})
    found = judge.judge(wire.evidence(control, tmp_path, series), "")
    assert not found.as_expected
    assert "none of toa-first can be judged here" in found.complaint


def test_a_negative_control_that_fails_otherwise_as_well_is_none(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    control = msgspec.structs.replace(run, must_fail=("toa-first",), only=True)
    missing_toa(wire)
    altered_payload(wire)
    found = verdict(control, wire, tmp_path)
    assert found.complaint == "failed as well: payload"


def test_a_row_that_sees_nothing_fails(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    wire.frames = {link: [] for link in wire.frames}
    found = verdict(run, wire, tmp_path)
    told = {row.name for row in found.rows if row.outcome == "pass"}
    # what the client says is all that is left
    assert told <= {"answered", "in-turn"}


def test_a_link_without_a_packet_is_no_proof_of_absence(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    for link in INSIDE:
        wire.frames[link] = []
    assert {"no-client-inside", "no-vip-inside"} <= failed(verdict(run, wire, tmp_path))


def test_a_series_that_randomises_is_judged_by_its_own_rules(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    other_initial_number(wire)
    series = msgspec.structs.replace(hand.SERIES, sequence="randomised")
    found = judge.judge(wire.evidence(run, tmp_path, series), "")
    # the second connection was left as it was
    assert failed(found) == {"sequence"}


def test_rows_that_a_series_lacks_are_unsupported_with_the_reason(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    series = msgspec.structs.replace(hand.SERIES, unsupported={"counters": "it has none"})
    found = judge.judge(wire.evidence(run, tmp_path, series), "")
    row = next(row for row in found.rows if row.name == "counters")
    assert (row.outcome, row.seen) == ("unsupported", "it has none")
    assert found.as_expected


@pytest.mark.parametrize("shifted", [True, False])
def test_sack_options_must_be_translated_with_the_numbers(tmp_path: Path, shifted: bool) -> None:
    """The server reports the second segment, by the numbers that it got (2.6.32's series)."""
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=("sack",))
    first, second = hand.ISN + 1 + 520, hand.ISN + 1 + 530

    def sack(delta: int) -> bytes:
        edges = (first + delta).to_bytes(4, "big") + (second + delta).to_bytes(4, "big")
        return b"\x01\x01\x05\x0a" + edges

    other_initial_number(wire)
    for link in ("outer", "inner", "web1"):
        wire.tcp(link, 5).ack -= 1020  # what is in front has not come
    for link in ("inner", "web1"):
        _options(wire, link, 5, sack(7))
    _options(wire, "outer", 5, sack(0 if shifted else 7))
    assert failed(verdict(run, wire, tmp_path)) == (set() if shifted else {"sack"})


def test_a_missing_line_in_the_kernel_log_fails_the_run(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    found = judge.judge(wire.evidence(run, tmp_path), "the log has no such line")
    assert not found.as_expected


def test_the_four_views_are_the_document_s(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    shown = views.four(wire.evidence(run, tmp_path))
    assert [view.ends for view in shown] == [
        "10.0.1.2:50026 > 10.0.1.1:80",
        "10.0.3.1:5014 > 10.0.4.2:8080",
        "10.0.4.2:8080 > 10.0.3.1:5014",
        "10.0.1.1:80 > 10.0.1.2:50026",
    ]


def test_the_ladder_shows_a_packet_on_every_link(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    evidence = wire.evidence(run, tmp_path)
    connection = views.shown_connection(evidence)
    assert connection is not None
    steps = views.steps(evidence, connection)
    assert [len(step.packets) for step in steps] == [3] * 9
    assert [packet.place for packet in steps[0].packets] == [
        "client-outer",
        "router-inner",
        "router-web1",
    ]


@pytest.mark.parametrize("keep", [10, 24, 30, 60, 200])
def test_a_capture_cut_short_is_not_judged(tmp_path: Path, keep: int) -> None:
    _, wire = hand.healthy()
    path = tmp_path / "client-outer.pcap"
    hand.write(path, wire.frames["outer"])
    path.write_bytes(path.read_bytes()[:keep])
    if keep == 24:  # no packet at all, but whole
        assert files.read(path, "client-outer").packets == ()
        return
    with pytest.raises(SmokeError, match="cannot be judged"):
        files.read(path, "client-outer")


def test_a_capture_that_is_none_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "client-outer.pcap"
    path.write_bytes(b"#!/bin/sh\n" * 10)
    with pytest.raises(SmokeError, match="cannot be judged"):
        files.read(path, "client-outer")


def test_packets_are_told_apart_by_where_they_end_in_the_file(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    path = tmp_path / "client-outer.pcap"
    hand.write(path, wire.frames["outer"])
    offsets = [frame.offset for frame in files.frames(path)]
    some = files.read(path, "client-outer").between(offsets[1], offsets[4])
    assert [packet.frame for packet in some] == [3, 4, 5]


def test_every_row_says_what_must_hold() -> None:
    assert all(row.must_hold and row.name == name for name, row in ROWS.items())
