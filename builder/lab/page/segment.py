"""The label of a packet's arrow, with the changes of the host before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.lab.capture import tcpoption
from builder.lab.capture.packet import Packet, endpoint
from builder.lab.series import Fullnat


@dataclass(frozen=True)
class LabelPart:
    """A piece of a label; ``changed``: the host before the arrow changed it."""

    text: str
    changed: bool = False


def plain(parts: Iterable[LabelPart]) -> str:
    return "".join(part.text for part in parts)


def ends(packet: Packet, before: Packet | None) -> tuple[LabelPart, ...]:
    """Source and destination; ``before``: the packet as the link before had it."""
    old = packet if before is None else before
    return (
        LabelPart(endpoint(*packet.ends[:2]), packet.ends[:2] != old.ends[:2]),
        LabelPart(" → "),
        LabelPart(endpoint(*packet.ends[2:]), packet.ends[2:] != old.ends[2:]),
    )


def detail(packet: Packet, before: Packet | None, series: Fullnat) -> tuple[LabelPart, ...]:
    """Flags, number, length, MSS and the client's address; another protocol's own words."""
    if packet.protocol != "tcp":
        return (LabelPart(packet.detail),)
    old = packet if before is None else before
    parts = [LabelPart(f"[{packet.flag_text}]")]
    parts.append(LabelPart(f" seq {packet.sequence}", packet.sequence != old.sequence))
    if packet.payload:
        parts.append(LabelPart(f" {len(packet.payload)} B"))
    if packet.mss is not None:
        parts.append(LabelPart(f" mss {packet.mss}", packet.mss != old.mss))
    told = toa(packet, series)
    if told is not None:
        parts.append(LabelPart(f" TOA {tcpoption.client(told)}", told != toa(old, series)))
    return tuple(parts)


def toa(packet: Packet, series: Fullnat) -> bytes | None:
    """The client's address, by the series' options for it."""
    return packet.option(series.toa_kind) or packet.option(series.toa_kind6)
