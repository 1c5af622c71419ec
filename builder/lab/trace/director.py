"""A director as its operator describes it: on the command line, or in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from builder import text as texts
from builder import toml
from builder.errors import UsageError
from builder.lab.capture.packet import endpoint
from builder.lab.series import Fullnat, Port
from builder.names import shown

KEYS = "see docs/reference/configuration.md for the keys and their types"
FORMS = "ADDRESS:PORT, with IPv6 as [ADDRESS]:PORT; of a VIP also ADDRESS:PORT/udp"
PROTOCOLS = ("tcp", "udp")
End = tuple[str, int]


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A director whose captures are judged.

    ``outside``: captures of the clients' side, relative to the file.
    ``inside``: captures of the servers' side, relative to the file.
    ``vip``: virtual services: ``ADDRESS:PORT``, with IPv6 as ``[ADDRESS]:PORT``, with ``/udp``
    after it for UDP.
    ``local``: local addresses.
    ``server``: servers: ``ADDRESS:PORT``.
    ``local_ports``: first and last local port, if not those of the profile.
    ``toa``: whether the option with the client's address is switched on.
    """

    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    vip: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    local_ports: tuple[Port, Port] | None = None
    toa: bool = True


@dataclass(frozen=True)
class Director:
    """What is judged, and by which series' rules.  ``services``: protocol, address, port."""

    services: frozenset[tuple[str, str, int]]
    local: frozenset[str]
    servers: frozenset[End]
    local_ports: tuple[int, int]
    series: Fullnat
    toa: bool

    @property
    def virtual(self) -> frozenset[str]:
        return frozenset(address for _, address, _ in self.services)

    @property
    def hidden(self) -> frozenset[str]:
        """The addresses that must not be seen outside."""
        return self.local | {address for address, _ in self.servers}

    @property
    def untold(self) -> str:
        """Why no option tells servers the client; empty if one does."""
        if not self.toa:
            return "TOA is switched off"
        four = any(":" not in address for address in self.virtual)
        return "" if four or self.series.toa_kind6 else "this series has no such option for IPv6"

    def has(self, protocol: str) -> bool:
        return any(one == protocol for one, _, _ in self.services)

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """The given values, for the report."""
        vips = sorted(f"{endpoint(*end)}/{name}" for name, *end in self.services)  # type: ignore[arg-type]
        return (
            ("virtual services", ", ".join(vips)),
            ("local addresses", ", ".join(sorted(self.local))),
            ("local ports", f"{self.local_ports[0]} to {self.local_ports[1]}"),
            ("servers", ", ".join(sorted(endpoint(*end) for end in self.servers))),
            ("TOA", f"option {self.series.toa_kind}" if self.toa else "switched off"),
        )


def load(path: Path) -> Described:
    """The file ``--config``; raises UsageError with its line."""
    if not path.is_file():
        raise UsageError(f"cannot read {shown(str(path))}", "there is no such file", KEYS)
    text = texts.read(path)
    document: dict[str, Any] = toml.parse(path, text)
    found: Described = toml.convert(path, text, document, Described, "", hint=KEYS)
    folder = path.parent
    return msgspec.structs.replace(
        found,
        outside=tuple(str(folder / one) for one in found.outside),
        inside=tuple(str(folder / one) for one in found.inside),
    )


def director(described: Described, series: Fullnat) -> Director:
    """Raises UsageError for what is missing or is not an address."""
    for name in ("vip", "local", "server"):
        if not getattr(described, name):
            raise UsageError(
                f"the director's --{name} is missing",
                "without it nothing says what its packets must look like",
                "invoke judge --help",
            )
    ports = described.local_ports or series.local_ports
    if ports[0] > ports[1]:
        raise UsageError(
            f"local ports {ports[0]} to {ports[1]} are none",
            "the first is larger than the last",
            "--local-ports 5000-65535",
        )
    return Director(
        services=frozenset(_service(one) for one in described.vip),
        local=frozenset(_address(one, one) for one in described.local),
        servers=frozenset(_end(one, one) for one in described.server),
        local_ports=ports,
        series=series,
        toa=described.toa,
    )


def _service(word: str) -> tuple[str, str, int]:
    end, slash, protocol = word.partition("/")
    if slash and protocol.lower() not in PROTOCOLS:
        raise UsageError(
            f"{shown(word)} is not a virtual service",
            f"its protocol is {shown(protocol)}; FULLNAT knows tcp and udp",
            FORMS,
        )
    return (protocol.lower() or "tcp", *_end(end, word))


def _end(text: str, word: str) -> End:
    address, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"{shown(word)} is not an address and a port", f"{shown(port)} is not a port", FORMS
        )
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if ":" in bare and bare == address:
        raise UsageError(
            f"{shown(word)} is not an address and a port", "IPv6 stands in brackets", FORMS
        )
    return _address(bare, word), int(port)


def _address(text: str, word: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise UsageError(f"{shown(word)} has no address", str(error), FORMS) from None
