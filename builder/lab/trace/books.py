"""The findings so far, by row: all are counted, and the first cases are kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from builder.lab.capture.packet import Packet
from builder.lab.oracle.judgement import Findings, Judgement, Problem, Row
from builder.lab.oracle.passage import Books
from builder.lab.oracle.rows import ROWS
from builder.lab.trace.director import Director

TCP_ROWS = (
    *("outer-tuple", "inner-source", "local-port", "first-packet", "toa-first", "sequence"),
    *("timestamp", "reply-destination", "outer-reply", "mss", "toa-on-data", "no-toa-later"),
    *("sequence-delta", "sack", "payload", "ttl"),
)
UDP_ROWS = (*("outer-tuple", "inner-source", "reply-destination", "outer-reply", "payload", "ttl"),)
"""What is asked of a datagrams' connection, too."""
LINK_ROWS = ("icmp-through", "no-client-inside", "no-vip-inside", "no-inside-outside")
FILE_ROWS = ("checksums", "capture-whole")
ASKED = (*TCP_ROWS, *LINK_ROWS, *FILE_ROWS)
OCCASIONAL = {
    "timestamp": "no SYN with a timestamp",
    "toa-on-data": "no data to a server",
    "no-toa-later": "no second data segment to a server",
    "sack": "no SACK option from a server",
    "icmp-through": "no ICMP error about a connection",
    "local-port": "no TCP connection",
}
"""What need not happen in captures: a row that saw nothing of it was not asked."""
ELSEWHERE = {
    "answered": "whether the client was content is not in a capture",
    "in-turn": "the scheduler and its weights are not in a capture",
    "same-server": "which server wrote an answer is not in a capture",
    "counters": "the director's counters are not in a capture",
    "ends-agree": "each side was captured in one place",
}
"""Rows of the lab that captures alone cannot answer, and why."""


@dataclass
class Notebook:
    """All findings.

    ``found``: by row.  ``beyond``: reasons why checksums cannot be judged at all.  ``packets``,
    ``foreign``: by side.  ``unjoined``: reasons with their counts.  ``straddling``: the same for
    connections that a capture's start or end divides, by side; they are doubts if ``strict``.
    ``whole``: connections that were seen from start to end.  ``strangers``: connections to servers
    that no client opened, such as health checks.  ``missing``: the side of which no capture was
    given, empty if both were.
    """

    found: dict[str, Findings] = field(default_factory=lambda: {one: Findings() for one in ASKED})
    beyond: set[str] = field(default_factory=set)
    packets: list[int] = field(default_factory=lambda: [0, 0])
    foreign: list[int] = field(default_factory=lambda: [0, 0])
    unjoined: dict[str, int] = field(default_factory=dict)
    straddling: dict[str, list[int]] = field(default_factory=dict)
    strict: bool = False
    joined: int = 0
    whole: int = 0
    strangers: int = 0
    total: int = 0
    resegmented: int = 0
    most_open: int = 0
    shifts: set[int] = field(default_factory=set)
    sizes: str = ""
    missing: str = ""

    def __getitem__(self, row: str) -> Findings:
        return self.found[row]

    @property
    def failures(self) -> int:
        return sum(one.failed for one in self.found.values())

    def passage(self) -> Books:
        """The books for the comparison of both sides."""
        return Books(
            self["sequence-delta"], self["payload"], self["sack"], self["ttl"], lossless=False
        )

    def cannot_judge(self, protocol: str, why: str, packet: Packet) -> None:
        """Note a whole connection that its rows cannot judge."""
        self.unjoined[why] = self.unjoined.get(why, 0) + 1
        self._doubted(protocol, why, packet)

    def _doubted(self, protocol: str, why: str, packet: Packet) -> None:
        for row in TCP_ROWS if protocol == "tcp" else UDP_ROWS:
            if row != "local-port":
                self[row].doubt(why, packet)

    def divided(self, flow_side: int, protocol: str, why: str, packet: Packet) -> None:
        """Note a connection that began before a capture did, or continues after its end."""
        self.straddling.setdefault(why, [0, 0])[flow_side] += 1
        if self.strict:
            self._doubted(protocol, why, packet)

    @property
    def unjudged(self) -> dict[str, int]:
        """Reasons with their counts; a connection that both sides report counts once."""
        return {**{why: max(sides) for why, sides in self.straddling.items()}, **self.unjoined}

    def judgement(self, row: Row, director: Director) -> Judgement:
        """The judgement on a row at the end."""
        found = self[row.name]
        if found.nothing:
            return _nothing(row.name, director, self.missing)
        made = found.close(self._seen(row.name, found), "")
        return replace(made, why="no capture") if self.missing and not found.looked else made

    def _seen(self, row: str, found: Findings) -> str:
        left_out = f"; not judged: {'; '.join(sorted(self.beyond))}" if self.beyond else ""
        anew = f"; {self.resegmented} packets were segmented anew" if self.resegmented else ""
        shifted = ", ".join(map(str, sorted(self.shifts)[:6]))
        words = {
            "checksums": f"{found.looked} packets{left_out}",
            "payload": f"{self.total} bytes on both sides",
            "sequence-delta": f"{found.looked} packets; numbers shifted by {shifted}{anew}",
            "mss": self.sizes,
        }
        return words.get(row, f"{found.looked} looked at, all of them as they must be")


def _nothing(row: str, director: Director, missing: str) -> Judgement:
    if row in TCP_ROWS and row not in UDP_ROWS and not director.has("tcp"):
        return Judgement(unsupported="no virtual service is of TCP")
    if row in ("toa-first", "toa-on-data", "no-toa-later", "mss") and director.untold:
        return Judgement(unsupported=director.untold)
    if missing:
        reason = f"no capture of the {missing} was given"
        return Judgement(doubts=(Problem(reason),), doubted=1, why="no capture")
    if row in OCCASIONAL:
        return Judgement(unsupported=OCCASIONAL[row], why="nothing to judge")
    reason = "nothing in these captures could be judged"
    return Judgement(doubts=(Problem(reason),), doubted=1)


def asked() -> tuple[Row, ...]:
    """The rows in the order of the report."""
    return tuple(ROWS[name] for name in ASKED)
