"""Finds the two halves of a connection by the signs that they share.

Signs are the option with the client's address, the SYN's own numbers and options, and the first
bytes of the content.  Halves are joined at once if all signs agree, and later if most do.  A half
that fits several others is not joined, and is reported as not judged.
"""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import ip_address

from builder.lab.capture.packet import OPT_NOP, OPT_TIMESTAMP, Packet
from builder.lab.series import Fullnat
from builder.lab.trace.flow import Flow, Sign

CLIENT, SYN = "client", "syn"
BEGIN = 64
"""Bytes of what was said first that are a sign."""
COMMON = 64
"""Halves that share a sign, behind which it tells nothing any more."""
ALONE = "nothing of it was captured on the other side"
AMBIGUOUS = "it may belong to several connections of the other side"


class Joiner:
    """Halves that wait, by their signs: those outside and those inside."""

    def __init__(self, series: Fullnat) -> None:
        self._series = series
        self._index: dict[Sign, tuple[dict[int, Flow], dict[int, Flow]]] = {}

    def add(self, flow: Flow) -> None:
        """A half that has begun."""
        if flow.protocol == "tcp":
            named = flow.peer if flow.side == 0 else claimed(flow.first, self._series)
            if named is not None:
                self._sign(flow, (CLIENT, named))
            if self._series.sequence == "kept":
                self._sign(flow, (SYN, self._kept(flow.first)))

    def heard(self, flow: Flow) -> None:
        """The half's first data has come."""
        data = flow.data
        if data is not None and data.payload and not (data.cut and len(data.payload) < BEGIN):
            whole = data.payload if flow.protocol == "udp" else data.payload[:BEGIN]
            self._sign(flow, (flow.protocol, whole))

    def _sign(self, flow: Flow, sign: Sign) -> None:
        flow.signs = (*flow.signs, sign)
        self._index.setdefault(sign, ({}, {}))[flow.side][id(flow)] = flow

    def remove(self, flow: Flow) -> None:
        """Remove a half that is joined, or was given up so long ago that it is not a rival."""
        for sign in flow.signs:
            held = self._index.get(sign)
            if held is not None:
                held[flow.side].pop(id(flow), None)
                if not held[0] and not held[1]:
                    del self._index[sign]
        flow.signs = ()

    def partner(self, flow: Flow, *, patient: bool) -> tuple[Flow | None, str]:
        """The other half, or why there is none.

        ``patient``: all signs must agree, including the option; without that, a rival may still
        come.
        """
        found, count, why = self._best(flow)
        if found is None:
            return None, why
        back, _, _ = self._best(found)
        if back is not flow or found.held is None:
            return None, AMBIGUOUS
        inner = flow if flow.side else found
        told = any(sign in found.signs for sign in flow.signs if sign[0] == CLIENT)
        if patient and not (told and count == len(inner.signs)):
            return None, AMBIGUOUS
        return found, ""

    def _best(self, flow: Flow) -> tuple[Flow | None, int, str]:
        """The half with the most signs in common, if no other has as many."""
        counts: dict[int, int] = {}
        flows: dict[int, Flow] = {}
        common = False
        for sign in flow.signs:
            others = self._index[sign][1 - flow.side]
            if len(others) > COMMON:
                common = True
                continue
            for key, other in others.items():
                counts[key] = counts.get(key, 0) + 1
                flows[key] = other
        if not counts:
            return None, 0, AMBIGUOUS if common else ALONE
        best = max(counts.values())
        named = [key for key, count in counts.items() if count == best]
        if len(named) > 1:
            return None, best, AMBIGUOUS
        return flows[named[0]], best, ""

    def _kept(self, packet: Packet) -> Hashable:
        """The parts of a SYN that this series leaves the same on both sides."""
        left_out = {self._series.toa_kind, self._series.toa_kind6, OPT_NOP, 0}
        if self._series.timestamp != "kept":
            left_out.add(OPT_TIMESTAMP)
        options = tuple(one for one in packet.options if one[0] not in left_out)
        return (packet.sequence, options)


def claimed(packet: Packet, series: Fullnat) -> tuple[str, int] | None:
    """The client that a packet's option names."""
    sizes = {series.toa_kind: 6, series.toa_kind6: 18}
    for kind, value in packet.options:
        if kind > 1 and sizes.get(kind) == len(value):
            return str(ip_address(value[2:])), int.from_bytes(value[:2], "big")
    return None
