"""Scenarios and topologies as their TOML files have them.

Addresses are texts in their canonical form; ``A/N`` is an interface's address with its prefix
length.
"""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Literal

import msgspec

from builder.names import Name

Side = Literal["outer", "inner"]
Method = Literal["fullnat", "nat", "dr", "tun"]


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wire, or hub if more than two hosts are on it.

    ``side``: seen from the director.  ``title``: for diagrams.
    """

    side: Side
    title: str


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host's card: eth0 is the first in its list."""

    link: Name
    addresses: tuple[str, ...]


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``to``: a network, or ``default`` (IPv4's)."""

    to: str
    via: str


class Host(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A machine.  ``forward``: it passes on what is not for itself.  ``column``/``row``: where
    the diagram has it, from 0."""

    role: Literal["client", "director", "router", "server"]
    interface: tuple[Interface, ...]
    column: int
    row: int
    forward: bool = False
    routes: tuple[Route, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All its addresses, without prefix lengths."""
        return tuple(
            str(ip_interface(address).ip) for card in self.interface for address in card.addresses
        )


class Topology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hosts and links by name."""

    summary: str
    link: dict[Name, Link]
    host: dict[Name, Host]

    def hosts_on(self, link: str) -> tuple[str, ...]:
        """Names of the hosts with a card on a link, in the file's order."""
        return tuple(
            name
            for name, host in self.host.items()
            if any(card.link == link for card in host.interface)
        )

    def with_role(self, role: str) -> tuple[str, ...]:
        return tuple(name for name, host in self.host.items() if host.role == role)

    def mac(self, host: str, link: str) -> str:
        """A locally administered address that tells host and card (IEEE 802, 8.2)."""
        number = tuple(self.host).index(host)
        card = [card.link for card in self.host[host].interface].index(link)
        return f"52:54:00:0a:{number:02x}:{card:02x}"

    def owner(self, address: str) -> str:
        """The host with that address, or an empty text."""
        return next((name for name, host in self.host.items() if address in host.addresses), "")


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A virtual service.  ``servers``: ``address:port``.  ``local``: FULLNAT's local addresses."""

    address: str
    port: int
    servers: tuple[str, ...]
    method: Method
    protocol: Literal["tcp", "udp"] = "tcp"
    scheduler: str = "rr"
    local: tuple[str, ...] = ()


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exchanges of one host with a service, one after the other.

    ``send`` and ``receive``: bytes of the bodies; for UDP, of the datagrams' content, which is
    longer if its first line does not fit.  ``seconds``: how long one exchange may take,
    ``pause``: before each.
    ``from_port``: the first one's own port, each further one has the next; the loader gives
    them out.
    """

    address: str
    port: int
    from_port: int = 0
    count: int = 2
    host: Name = "client"
    protocol: Literal["tcp", "udp"] = "tcp"
    send: int = 4000
    receive: int = 20000
    seconds: int = 20
    pause: float = 0


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shell command on a host, for what the other tables have no word for."""

    host: Name
    run: str


class Kill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host loses its power ``after`` seconds of traffic, from the first exchanges on."""

    host: Name
    after: float


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration of the director, traffic, and what its captures must show.

    In the file, ``like`` names an earlier run that has all that is not said here.

    ``rows``: names of the oracle's assertions.  ``must_fail``: makes it a negative control;
    these rows must fail.  ``only``: and no others may.  ``toa``: whether it is switched on.
    ``synproxy``: whether the services have it; what was there before is taken out where it says
    false.  ``synproxy_options``: words for the series' program, which a switch of ipvsadm does
    not take.  ``keepalived``: it sets the services up, not ipvsadm.
    ``local_ports``: first and last, if not the series' own.  ``logged``: the kernel must log
    the series' refusal.  ``keep``: services stay as the run before left them.  ``before``: ahead
    of the director's configuration, ``prepare``: behind it, ahead of the traffic.
    ``during``: as part of the traffic, behind the exchanges.  ``kill``: a host that dies while
    the traffic flows.
    """

    name: Name
    title: str
    service: tuple[Service, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    rows: tuple[str, ...] = ()
    must_fail: tuple[str, ...] = ()
    only: bool = False
    toa: bool = True
    synproxy: bool | None = None
    synproxy_options: tuple[str, ...] = ()
    keepalived: bool = False
    local_ports: tuple[int, int] | None = None
    logged: bool = False
    keep: bool = False
    kill: Kill | None = None
    before: tuple[Command, ...] = ()
    prepare: tuple[Command, ...] = ()
    during: tuple[Command, ...] = ()

    @property
    def control(self) -> bool:
        return bool(self.must_fail)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An experiment.  ``routes``: added to the topology's, by host.

    ``routing``: how hosts learn of networks beyond their own.  ``setup``: before any run.
    ``shared``: addresses that hosts have in turn, and the topology gives to none.
    """

    name: Name
    summary: str
    topology: Name
    run: tuple[Run, ...]
    routing: Literal["static", "rip"] = "static"
    routes: dict[Name, tuple[Route, ...]] = {}
    setup: tuple[Command, ...] = ()
    shared: tuple[str, ...] = ()
