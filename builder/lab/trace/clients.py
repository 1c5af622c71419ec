"""The clients of the connections that are open or have just ended."""

from __future__ import annotations

from builder.lab.capture.packet import Packet
from builder.lab.trace.flow import LINGER, Flow

SUSPECTS = 4096
"""Addresses on the inside that may turn out to be a client's."""


class Clients:
    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._ended: dict[str, float] = {}
        self._suspects: dict[str, Packet] = {}

    def add(self, flow: Flow) -> Packet | None:
        """Note a new connection; returns an earlier inside packet with its client's address."""
        address = flow.ends[0]
        self._open[address] = self._open.get(address, 0) + 1
        return self._suspects.pop(address, None) if self._suspects else None

    def remove(self, flow: Flow) -> None:
        address = flow.ends[0]
        count = self._open.get(address, 0) - 1
        if count > 0:
            self._open[address] = count
        elif count == 0:
            del self._open[address]
            self._ended[address] = flow.last

    def among(self, packet: Packet) -> str:
        """The client that a packet is from or to, or nothing."""
        for address in (packet.source, packet.destination):
            if address in self._open or address in self._ended:
                return address
        return ""

    def suspect(self, packet: Packet, address: str) -> None:
        """Keep a packet with an address that is not known yet."""
        if len(self._suspects) < SUSPECTS:
            self._suspects.setdefault(address, packet)

    def sweep(self, now: float) -> None:
        """Forget clients whose connections ended long ago, and all suspects."""
        self._ended = {
            address: time for address, time in self._ended.items() if now - time <= LINGER
        }
        self._suspects.clear()
