"""Captures of a real kernel: its nftables translate both addresses, as FULLNAT does without TOA.

The files were made in network namespaces by tcpdump: transfers both ways, a reset, a refused port,
DNS-like datagrams, an ICMP error, and IPv6.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import msgspec
import pytest

from builder.errors import UsageError
from builder.lab.trace import judge as judging
from builder.lab.trace import reading
from builder.lab.trace.director import Described, director
from builder.lab.trace.judge import JudgedTrace
from builder.lab.verdict import RowVerdict
from tests.support.lab import wire as hand

DATA = Path(__file__).parent / "data"
OUT, IN, IN2 = (DATA / f"kernel-{side}.pcap.gz" for side in ("out", "in", "in2"))
KERNEL = Described(
    vip=(
        *("192.0.2.10:80", "192.0.2.10:81", "192.0.2.10:53/udp", "192.0.2.10:54/udp"),
        *("[2001:db8:f::10]:80", "[2001:db8:f::10]:53/udp"),
    ),
    local=("203.0.113.1", "2001:db8:2::1"),
    server=(
        *("203.0.113.5:8080", "203.0.113.6:8080", "203.0.113.5:8081", "203.0.113.5:5353"),
        *("203.0.113.6:5454", "[2001:db8:2::5]:8080", "[2001:db8:2::6]:5353"),
    ),
    toa=False,
)


def judged(
    out: Path, *inside: Path, described: Described = KERNEL, strict: bool = False
) -> JudgedTrace:
    given = reading.recordings((str(out),), tuple(map(str, inside)))
    return judging.judge(
        director(described, hand.SERIES), (given[0], given[1]), "lts", strict=strict
    )


def rows(trial: JudgedTrace) -> dict[str, RowVerdict]:
    return {row.name: row for row in trial.verdict.runs[0].rows}


def failed(trial: JudgedTrace) -> set[str]:
    return {name for name, row in rows(trial).items() if row.outcome == "fail"}


def part(path: Path, target: Path, first: int, last: int | None) -> Path:
    """Only some of a capture's packets."""
    data = gzip.decompress(path.read_bytes())
    at, records = 24, []
    while at < len(data):
        size = 16 + struct.unpack_from("<8xI", data, at)[0]
        records.append(data[at : at + size])
        at += size
    target.write_bytes(data[:24] + b"".join(records[first:last]))
    return target


def test_what_a_kernel_translates_without_toa_is_proven() -> None:
    trial = judged(OUT, IN, IN2)
    assert trial.verdict.outcome == "pass", trial.verdict.complaint
    found = rows(trial)
    assert found["toa-first"].outcome == "unsupported"
    assert found["toa-first"].seen == "TOA is switched off"
    assert found["icmp-through"].outcome == "pass", "it came before its datagrams were joined"
    assert trial.verdict.runs[0].counters["connections"] == 19, "the refused one, too"


def test_toa_that_is_asked_for_and_missing_fails() -> None:
    trial = judged(OUT, IN, IN2, described=msgspec.structs.replace(KERNEL, toa=True))
    assert failed(trial) == {"toa-first", "toa-on-data", "mss"}


@pytest.mark.parametrize(
    ("out", "inside"),
    [((5, None), (0, None)), ((0, None), (4, None)), ((0, -6), (0, None)), ((0, None), (0, -30))],
)
def test_what_a_captures_ends_divide_is_counted_and_the_rest_proven(
    tmp_path: Path, out: tuple[int, int | None], inside: tuple[int, int | None]
) -> None:
    paths = part(OUT, tmp_path / "out.pcap", *out), part(IN, tmp_path / "in.pcap", *inside)
    trial = judged(*paths, IN2)
    assert trial.verdict.outcome in ("pass", "undecided") and not failed(trial)
    if inside[1] is None and inside[0] == 0:
        assert trial.verdict.outcome == "pass", trial.verdict.complaint
        assert trial.unjoined, "it is told"
    assert judged(*paths, IN2, strict=True).verdict.outcome == "undecided"


def test_an_answer_to_a_wrong_local_port_fails(tmp_path: Path) -> None:
    _, wire = hand.healthy()
    wire.tcp("inner", 1).dport += 1
    paths = tmp_path / "out.pcap", tmp_path / "in.pcap"
    hand.write(paths[0], wire.frames["outer"])
    hand.write(paths[1], wire.frames["inner"])
    described = Described(
        vip=("10.0.1.1:80",), local=("10.0.3.1",), server=("10.0.4.2:8080", "10.0.5.2:8080")
    )
    assert "reply-destination" in failed(judged(*paths, described=described))


def test_swapped_sides_are_told() -> None:
    given = reading.recordings((str(IN), str(IN2)), (str(OUT),))
    with pytest.raises(UsageError, match="look swapped"):
        judging.judge(director(KERNEL, hand.SERIES), (given[0], given[1]), "lts")


def test_datagrams_in_fragments_are_judged_as_datagrams() -> None:
    """4,000 bytes there, 4,007 back, in three fragments each, behind a short exchange."""
    described = Described(
        vip=("192.0.2.10:53/udp",), local=("203.0.113.1",), server=("203.0.113.5:5353",), toa=False
    )
    out, inside = (DATA / f"fragments-{side}.pcap.gz" for side in ("out", "in"))
    trial = judged(out, inside, described=described)
    assert failed(trial) == set()
    payload = rows(trial)["payload"]
    assert (payload.outcome, payload.seen) == ("pass", "8054 bytes on both sides")
