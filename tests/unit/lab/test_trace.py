"""Captures of both sides that were made elsewhere: what is right passes, each fault is named by its
assertion and frames, and what cannot be judged is undecided."""

from __future__ import annotations

import copy
import gzip
import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builder.errors import UsageError
from builder.lab.trace import judge as judging
from builder.lab.trace import reading, sample
from builder.lab.trace.director import Described, director
from builder.lab.trace.judge import JudgedTrace
from builder.lab.trace.sample import SampleShape
from builder.lab.verdict import RowVerdict
from tests.support.lab import frames as made
from tests.support.lab import wire as hand
from tests.support.lab.wire import Wire
from tests.unit.lab import test_oracle as oracle
from tests.unit.lab.test_damage import damaged

WIRE = Described(
    vip=("10.0.1.1:80",), local=("10.0.3.1",), server=("10.0.4.2:8080", "10.0.5.2:8080")
)
SAMPLE = Described(vip=("192.0.2.10:80",), local=("10.0.0.1",), server=("10.1.0.5:8080",))


NO_CAPTURES = {
    "empty": b"",
    "gzip's beginning": b"\x1f\x8b",
    "text": b"no capture at all",
    "gzip of nothing": gzip.compress(b"", mtime=0),
}


def judged(
    out: Path | None, inside: Path | None, described: Described = SAMPLE, *, strict: bool = False
) -> JudgedTrace:
    sides = tuple((str(one),) if one is not None else () for one in (out, inside))
    given = reading.recordings(*sides)
    return judging.judge(
        director(described, hand.SERIES), (given[0], given[1]), "lts", strict=strict
    )


def by_hand(wire: Wire, folder: Path, **more: int) -> JudgedTrace:
    paths = folder / "out.pcap", folder / "in.pcap"
    for link, path in zip(("outer", "inner"), paths, strict=True):
        hand.write(path, wire.frames[link], wire.bad_sums, more.get(link))
    return judged(*paths, WIRE)


def sampled(folder: Path, shape: SampleShape) -> tuple[Path, Path]:
    paths = folder / "out.pcap", folder / "in.pcap"
    sample.write(*paths, shape)
    return paths


def rows(trial: JudgedTrace) -> dict[str, RowVerdict]:
    return {row.name: row for row in trial.verdict.runs[0].rows}


def named(trial: JudgedTrace, outcome: str) -> set[str]:
    return {name for name, row in rows(trial).items() if row.outcome == outcome}


def counted(trial: JudgedTrace) -> dict[str, int]:
    return trial.verdict.runs[0].counters


def test_what_is_right_is_proven(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    assert counted(trial)["connections"] == 2
    assert {"payload", "sequence-delta", "toa-first", "mss", "local-port"} <= named(trial, "pass")


def ttl_grows(wire: Wire) -> None:
    wire.ip("inner", 3).ttl = 65


def sequence_hole(wire: Wire) -> None:
    """Behind the first segment all of the client's numbers jump."""
    for index in (4, 6, 8):
        wire.tcp("inner", index).seq += 100


def doubled_port(wire: Wire) -> None:
    """The second connection gets the first one's port and server, while that is open."""
    for index in range(9, 18):
        ip, tcp = wire.ip("inner", index), wire.tcp("inner", index)
        oracle.move(ip, "10.0.5.2", "10.0.4.2")
        tcp.sport, tcp.dport = (5014 if one == 5015 else one for one in (tcp.sport, tcp.dport))
        forth = tcp.dport == 8080
        tcp.seq, tcp.ack = (tcp.seq + 9, tcp.ack) if forth else (tcp.seq, tcp.ack + 9)
    for index in range(9, 18):
        tcp = wire.tcp("outer", index)
        forth = tcp.dport == 80
        tcp.seq, tcp.ack = (tcp.seq + 9, tcp.ack) if forth else (tcp.seq, tcp.ack + 9)
    for link in ("outer", "inner"):  # the first one is still open
        wire.frames[link] = wire.frames[link][:6] + wire.frames[link][9:]


def doubled_port_and_number(wire: Wire) -> None:
    """The same, and the clients' initial numbers are alike by chance."""
    for index in range(9, 18):
        ip, tcp = wire.ip("inner", index), wire.tcp("inner", index)
        oracle.move(ip, "10.0.5.2", "10.0.4.2")
        tcp.sport, tcp.dport = (5014 if one == 5015 else one for one in (tcp.sport, tcp.dport))
    for link in ("outer", "inner"):
        wire.frames[link] = wire.frames[link][:6] + wire.frames[link][9:]


def reset_lost_its_flag(wire: Wire) -> None:
    wire.tcp("inner", 6).flags = hand.ACK


Spoil = Callable[[Wire], None]
FAULTS: tuple[tuple[Spoil, set[str], set[str]], ...] = (
    (oracle.wrong_source, {"inner-source"}, set()),
    (oracle.port_out_of_range, {"inner-source"}, set()),
    (oracle.leaked_client, {"no-client-inside"}, set()),
    (oracle.leaked_vip, {"no-vip-inside"}, set()),
    (oracle.leaked_server, {"no-inside-outside"}, set()),
    (oracle.missing_toa, {"toa-first"}, set()),
    (oracle.toa_of_another, {"toa-first"}, set()),
    (oracle.toa_behind_others, {"toa-first"}, set()),
    (oracle.no_toa_on_data, {"toa-on-data"}, set()),
    (oracle.toa_on_later_data, {"no-toa-later"}, set()),
    (oracle.mss_not_lowered, {"mss"}, set()),
    (oracle.other_timestamp, {"timestamp"}, set()),
    (oracle.altered_answer, {"payload"}, set()),
    (oracle.wrong_acknowledgement, {"outer-reply"}, {"sequence-delta"}),
    (oracle.shifted_numbers, {"sequence-delta"}, set()),
    (oracle.other_initial_number, {"sequence", "sequence-delta"}, set()),
    (oracle.wrong_checksum, {"checksums"}, set()),
    (ttl_grows, {"ttl"}, set()),
    (sequence_hole, {"sequence-delta"}, set()),
    (doubled_port, {"local-port"}, set()),
    (doubled_port_and_number, {"local-port"}, set()),
    (reset_lost_its_flag, {"sequence-delta"}, set()),
)


@pytest.mark.parametrize(
    ("spoil", "wanted", "touched"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS]
)
def test_each_fault_fails_its_assertion(
    tmp_path: Path, spoil: Spoil, wanted: set[str], touched: set[str]
) -> None:
    _, wire = hand.healthy()
    spoil(wire)
    trial = by_hand(wire, tmp_path)
    assert wanted <= named(trial, "fail") <= wanted | touched
    assert trial.verdict.outcome == "fail"
    for name in wanted:
        fault = rows(trial)[name].faults[0]
        assert fault.expected and fault.packets[0].capture in ("out.pcap", "in.pcap")


def test_a_fault_names_the_frames_of_the_file(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    oracle.altered_answer(wire)
    (fault,) = rows(by_hand(wire, tmp_path))["payload"].faults
    assert [(one.capture, one.frame) for one in fault.packets] == [("out.pcap", 6), ("in.pcap", 6)]


def test_the_lab_and_the_judge_of_captures_agree(tmp_path: Path) -> None:
    """By the same rows on the same frames, for what is right and for each of the lab's faults."""
    agreed = 0
    for spoil in (None, *(fault[0] for fault in FAULTS[:18])):
        run, wire = hand.healthy()
        if spoil is not None:
            spoil(wire)
        folder = tmp_path / (spoil.__name__ if spoil else "right")
        folder.mkdir()
        lab = {row.name: row.outcome for row in oracle.verdict(run, wire, folder).rows}
        own = {name: row.outcome for name, row in rows(by_hand(wire, folder)).items()}
        for name in lab.keys() & own.keys():
            if {lab[name], own[name]} <= {"pass", "fail"}:
                assert lab[name] == own[name], f"{spoil}: {name}"
                agreed += 1
    assert agreed > 200


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -86400.0])
def test_clocks_that_differ_do_not_matter(tmp_path: Path, ahead: float) -> None:
    trial = judged(
        *sampled(tmp_path, SampleShape(60, packets=12, content=200, open=7, ahead=ahead))
    )
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    assert counted(trial)["connections"] == 60
    assert abs(counted(trial)["clock_difference_us"] - ahead * 1e6) < 1000


def test_gzipped_and_pcapng_captures_are_judged(tmp_path: Path) -> None:
    out, inside = sampled(tmp_path, SampleShape(5, packets=10, content=100))
    packed = tmp_path / "in.pcap.gz"
    packed.write_bytes(gzip.compress(inside.read_bytes()))
    records, frames = out.read_bytes()[24:], []
    while records:
        size = struct.unpack_from("<8xI", records)[0]
        frames.append(records[16 : 16 + size])
        records = records[16 + size :]
    again = made.pcapng(tmp_path / "out.pcapng", frames)
    assert judged(again, packed).verdict.outcome == "pass"


def test_rotated_captures_of_one_side_are_one(tmp_path: Path) -> None:
    out, inside = sampled(tmp_path, SampleShape(20, packets=10, content=100, open=3))
    data, at = inside.read_bytes(), 24
    while at < len(inside.read_bytes()) // 2:
        at += 16 + struct.unpack_from("<8xI", data, at)[0]
    parts = tmp_path / "in0.pcap", tmp_path / "in1.pcap"
    parts[0].write_bytes(data[:at])
    parts[1].write_bytes(data[:24] + data[at:])
    given = reading.recordings((str(out),), tuple(map(str, parts)))
    found = judging.judge(director(SAMPLE, hand.SERIES), (given[0], given[1]), "lts")
    assert found.verdict.outcome == "pass"


KEPT_OFF = {"inside": "client-inside", "outside": "inside-outside"}


@pytest.mark.parametrize("which", ["outside", "inside"])
def test_one_side_alone_is_undecided(tmp_path: Path, which: str) -> None:
    out, inside = sampled(tmp_path, SampleShape(5, packets=10, content=100))
    trial = judged(out if which == "outside" else None, inside if which == "inside" else None)
    assert trial.verdict.outcome == "undecided"
    assert not named(trial, "fail")
    assert counted(trial)["connections_not_judged"] == 5
    other = "inside" if which == "outside" else "outside"
    assert trial.unjoined == {f"nothing was captured {other} at that time": 5}
    lacking = {name for name, row in rows(trial).items() if row.why == "no capture"}
    assert {"payload", "toa-first", "icmp-through", f"no-{KEPT_OFF[other]}"} <= lacking
    assert named(trial, "undecided") == lacking | {"capture-whole"}
    words = f"no capture of the {other} was given"
    assert rows(trial)["icmp-through"].faults[0].expected == words


def test_what_was_not_judged_says_of_which_kind_the_reason_is(tmp_path: Path) -> None:
    out, inside = sampled(tmp_path, SampleShape(3, packets=10, content=100))
    found = rows(judged(out, inside, msgspec.structs.replace(SAMPLE, toa=False)))
    assert found["toa-first"].why == "not applicable", found["toa-first"].seen
    assert found["sack"].why == found["icmp-through"].why == "nothing to judge"
    assert found["in-turn"].why == found["counters"].why == "not in captures"
    assert found["payload"].why == ""


def test_connections_without_a_syn_are_counted_or_undecided_if_strict(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    for link in ("outer", "inner"):
        wire.frames[link] = wire.frames[link][3:]
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    assert trial.unjoined == {"it began before the capture did": 1}
    trial = judged(tmp_path / "out.pcap", tmp_path / "in.pcap", WIRE, strict=True)
    assert trial.verdict.outcome == "undecided"
    assert not named(trial, "fail")
    assert {"first-packet", "payload", "toa-first"} <= named(trial, "undecided")
    assert counted(trial)["connections"] == 1


def test_a_port_whose_earlier_use_began_before_the_capture_is_undecided(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    doubled_port_and_number(wire)
    wire.frames["inner"] = wire.frames["inner"][3:]
    wire.frames["outer"] = wire.frames["outer"][3:]
    trial = by_hand(wire, tmp_path)
    assert not named(trial, "fail")
    assert rows(trial)["local-port"].outcome == "undecided"


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
def test_a_file_that_is_cut_in_mid_packet_is_judged_so_far(tmp_path: Path, keep: float) -> None:
    out, inside = sampled(tmp_path, SampleShape(40, packets=10, content=100, open=4))
    data = inside.read_bytes()
    inside.write_bytes(data[: int(len(data) * keep) | 1])
    trial = judged(out, inside)
    assert trial.verdict.outcome == "undecided"
    assert not named(trial, "fail")
    fault = rows(trial)["capture-whole"].faults[0]
    assert fault.expected.startswith("in.pcap: it is truncated behind packet")


def test_a_cut_gzip_is_judged_so_far(tmp_path: Path) -> None:
    out, inside = sampled(tmp_path, SampleShape(40, packets=10, content=100, open=4))
    packed = gzip.compress(inside.read_bytes())
    inside.write_bytes(packed[: len(packed) // 2])
    trial = judged(out, inside)
    assert (trial.verdict.outcome, named(trial, "fail")) == ("undecided", set())


def test_packets_cut_by_a_snapshot_length_are_undecided(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    trial = by_hand(wire, tmp_path, outer=96, inner=96)
    assert not named(trial, "fail")
    assert {"payload", "checksums"} <= named(trial, "undecided")
    assert {"toa-first", "mss", "sequence-delta"} <= named(trial, "pass")


@pytest.mark.parametrize("kind", NO_CAPTURES)
def test_what_is_no_capture_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(NO_CAPTURES[kind])
    with pytest.raises(UsageError, match=r"notes\.txt") as caught:
        judged(path, None)
    assert caught.value.cause and caught.value.hint


def test_traffic_of_others_is_counted_and_ignored(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    other = hand.segment(("10.9.9.9", 5), ("10.9.9.8", 22), 2, 7, 0, b"", b"")
    check = [
        hand.segment(("10.0.3.254", 900), hand.SERVERS["web1"], 2, 7, 0, b"", hand.MSS),
        hand.segment(hand.SERVERS["web1"], ("10.0.3.254", 900), 20, 0, 8, b"", b""),
    ]
    wire.frames["outer"][4:4] = [other] * 3
    wire.frames["inner"][2:2] = [copy.deepcopy(other), *check]
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    told = counted(trial)
    assert (told["foreign_outside"], told["foreign_inside"]) == (3, 1)
    assert told["connections_of_others"] == 1, "a health check"


def test_connections_that_look_alike_are_not_guessed(tmp_path: Path) -> None:
    """No TOA, the same numbers, the same request: nothing tells which is whose."""
    _, wire = hand.healthy()
    for link in ("outer", "inner"):
        frames = wire.frames[link]
        for first, second in zip(frames[:9], frames[9:], strict=True):
            second.data.data.data = first.data.data.data
            for one in (first, second):
                tcp = one.data.data
                if link == "inner" and tcp.dport == 8080:
                    tcp.opts = tcp.opts.replace(hand.toa(hand.CLIENT), b"")
                    tcp.opts = tcp.opts.replace(hand.toa(("10.0.1.2", 50027)), b"")
                    tcp.off = 5 + len(tcp.opts) // 4
        order = (9, 0) if link == "inner" else (0, 9)
        wire.frames[link] = [frames[start + at] for at in range(9) for start in order]
    described = msgspec.structs.replace(WIRE, toa=False)
    paths = tmp_path / "out.pcap", tmp_path / "in.pcap"
    hand.write(paths[0], wire.frames["outer"])
    hand.write(paths[1], wire.frames["inner"])
    trial = judged(*paths, described)
    assert trial.verdict.outcome == "undecided"
    assert not named(trial, "fail")
    assert set(trial.unjoined) == {"it may belong to several connections of the other side"}


def test_without_toa_connections_are_joined_by_their_numbers(tmp_path: Path) -> None:
    out, inside = sampled(tmp_path, SampleShape(30, packets=10, content=100, open=5))
    trial = judged(out, inside, msgspec.structs.replace(SAMPLE, toa=False))
    assert trial.verdict.outcome == "pass"
    assert rows(trial)["toa-first"].outcome == "unsupported"


def test_segments_that_were_joined_by_a_card_have_the_same_bytes(tmp_path: Path) -> None:
    """Two segments outside are one inside (GRO): the stream counts, not its segments."""
    _, wire = hand.healthy()
    first, second = wire.tcp("inner", 3), wire.tcp("inner", 4)
    first.data += second.data
    del wire.frames["inner"][4]
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    assert counted(trial)["resegmented"] == 3
    first.data = first.data[:600] + b"!" + first.data[601:]
    assert named(by_hand(wire, tmp_path), "fail") == {"payload"}


def test_a_repeated_segment_is_no_fault(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    for link, times in (("outer", 2), ("inner", 1)):  # one of them was lost on the way
        wire.frames[link][5:5] = [copy.deepcopy(wire.frames[link][4])] * times
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint


def test_a_packet_on_one_side_alone_is_undecided(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    del wire.frames["inner"][4]
    trial = by_hand(wire, tmp_path)
    assert trial.verdict.outcome == "undecided"
    assert named(trial, "undecided") == {"payload", "sequence-delta"}
    packet = rows(trial)["payload"].faults[0].packets[0]
    assert (packet.capture, packet.frame) == ("out.pcap", 5)


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    number = 17
    body = made.summed(number, made.bare_udp(payload, (source[1], target[1])), source[0], target[0])
    build = made.ip6 if ":" in source[0] else made.ip4
    return made.ether(build(number, body, source=source[0], target=target[0]))


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("fault", ["", "payload"])
def test_datagrams_are_judged_by_their_bytes(tmp_path: Path, six: bool, fault: str) -> None:
    net = "fd00:{}::{}" if six else "10.0.{}.{}"
    client, vip, local, server = (net.format(*one) for one in ((1, 2), (1, 1), (3, 1), (4, 2)))
    outer, inner = [], []
    for number in range(3):
        ask, reply = b"question %d" % number, b"answer %d" % number
        ends = (client, 40000 + number), (vip, 53)
        far = (local, 5000 + number), (server, 5353)
        outer += [udp(*ends, ask), udp(*ends[::-1], reply)]
        inner += [udp(*far, ask), udp(*far[::-1], b"other! %d" % number if fault else reply)]
    wrap = "[{}]:{}" if six else "{}:{}"
    described = Described(
        vip=(wrap.format(vip, 53) + "/udp",), local=(local,), server=(wrap.format(server, 5353),)
    )
    out, inside = (
        made.pcap(tmp_path / name, frames)
        for name, frames in (("out.pcap", outer), ("in.pcap", inner))
    )
    trial = judged(out, inside, described)
    assert named(trial, "fail") == ({fault} if fault else set())
    assert trial.verdict.outcome == ("fail" if fault else "pass"), trial.verdict.complaint
    assert counted(trial)["connections"] == 3


def test_icmp_errors_are_followed_through(tmp_path: Path) -> None:
    _, wire = hand.healthy()

    def error(link: str, source: str, target: str) -> bytes:
        quoted = bytes(wire.ip(link, 3))[:28]
        body = made.summed(made.ICMP, struct.pack(">BBHI", 3, 4, 0, 1400) + quoted, source, target)
        return made.ether(made.ip4(made.ICMP, body, source=source, target=target))

    sides = {
        "outer": error("outer", "10.0.1.254", "10.0.1.2"),
        "inner": error("inner", "10.0.4.254", "10.0.3.1"),
    }

    def trial(*with_error: str) -> JudgedTrace:
        paths = []
        for link, frame in sides.items():
            path = tmp_path / f"{link}.pcap"
            hand.write(path, wire.frames[link])
            data = path.read_bytes()
            at = 24
            for _ in range(5):
                at += 16 + struct.unpack_from("=8xI", data, at)[0]
            head = struct.pack("=IIII", 1000, 4500, len(frame), len(frame))
            if link in with_error:
                path.write_bytes(data[:at] + head + frame + data[at:])
            paths.append(path)
        return judged(paths[0], paths[1], WIRE)

    assert rows(trial("outer", "inner"))["icmp-through"].outcome == "pass"
    assert rows(trial("inner"))["icmp-through"].outcome == "undecided"
    sides["outer"] = error("inner", "10.0.1.254", "10.0.1.2")
    assert rows(trial("outer", "inner"))["icmp-through"].outcome == "fail"


def test_addresses_are_read_or_refused() -> None:
    for word in ("10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "fd00::1:80", "x:80", "10.0.0.1:80/x"):
        with pytest.raises(UsageError):
            director(msgspec.structs.replace(WIRE, vip=(word,)), hand.SERIES)
    found = director(msgspec.structs.replace(WIRE, vip=("[FD00::1]:53/UDP",)), hand.SERIES)
    assert found.services == {("udp", "fd00::1", 53)}
    assert socket.inet_pton(socket.AF_INET6, next(iter(found.virtual)))


def changed(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """The capture with other records."""
    data, records = path.read_bytes(), []
    at = 24
    while at < len(data):
        size = 16 + struct.unpack_from("<8xI", data, at)[0]
        records.append(data[at : at + size])
        at += size
    path.write_bytes(data[:24] + b"".join(change(records)))


@pytest.mark.parametrize("seed", range(8))
def test_what_a_capture_lost_is_undecided_and_never_a_fault(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    paths = sampled(tmp_path, SampleShape(6, packets=16, content=120, open=3))
    for path in paths:
        changed(path, lambda records: [one for one in records if chance.random() > 0.08])
    trial = judged(*paths)
    assert (trial.verdict.outcome, named(trial, "fail")) == ("undecided", set())


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_break_the_judge(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    paths = sampled(tmp_path, SampleShape(6, packets=12, content=120, open=3))

    def spoil(records: list[bytes]) -> list[bytes]:
        found = []
        for one in records:
            frame = damaged(one[16:], chance) if chance.random() < 0.2 else one[16:]
            found.append(one[:8] + struct.pack("<II", len(frame), len(frame)) + frame)
        chance.shuffle(found)
        return found

    for path in paths:
        changed(path, spoil)
    assert judged(*paths).verdict.outcome == "fail"
