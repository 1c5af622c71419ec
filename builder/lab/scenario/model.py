"""Scenarios and topologies as their TOML files have them.

Addresses are texts in their canonical form; ``A/N`` is an interface's address with its prefix
length.
"""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Annotated, Literal

import msgspec

from builder.values import Name

Side = Literal["outer", "inner"]
Method = Literal["fullnat", "nat", "dr", "tun"]
TcpOptions = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{8}){0,10}$")]
"""Whole words of four bytes, of which a header has room for ten (RFC 9293, 3.1)."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wire, or a hub if more than two hosts are on it.

    ``side``: outside or inside, as seen from the director.
    ``title``: its title in diagrams.
    """

    side: Side
    title: str


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network card of a host: eth0 is the first in its list.

    ``link``: the link that it is on.
    ``addresses``: ``ADDRESS/PREFIX`` in canonical form.
    """

    link: Name
    addresses: tuple[str, ...]


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route of a host.

    ``to``: a network, or ``default`` (of IPv4).
    ``via``: address of the gateway.
    """

    to: str
    via: str


class Host(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A machine.

    ``role``: what it does.
    ``interface``: its network cards.
    ``column``: column of the diagram, from 0.
    ``row``: row of the diagram, from 0.
    ``forward``: it forwards packets.
    ``routes``: its routes.
    """

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
    """Hosts and links.

    ``summary``: one line about it.
    ``link``: links, by name.
    ``host``: hosts, by name.
    """

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
    """A virtual service.

    ``address``: its address.
    ``port``: its port.
    ``servers``: ``ADDRESS:PORT`` of each server.
    ``method``: how packets are forwarded.
    ``protocol``: its protocol.
    ``scheduler``: ipvsadm's name of the scheduler.
    ``local``: local addresses of FULLNAT.
    ``ops``: one-packet scheduling: each datagram of a client is scheduled by itself.
    """

    address: str
    port: int
    servers: tuple[str, ...]
    method: Method
    protocol: Literal["tcp", "udp"] = "tcp"
    scheduler: str = "rr"
    local: tuple[str, ...] = ()
    ops: bool = False


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exchanges of one host with a service, one after the other.

    ``address``: address of the service.
    ``port``: port of the service.
    ``from_port``: the client's port in the first exchange; each further one has the next. The
    loader assigns it.
    ``count``: number of exchanges.
    ``host``: the host that begins them.
    ``protocol``: the protocol.
    ``send``: bytes of the request's body; for UDP of the datagram's content, which is longer if
    its first line does not fit.
    ``receive``: bytes of the answer's body; for UDP of the datagram's content.
    ``seconds``: timeout of one exchange.
    ``pause``: seconds before each exchange.
    ``hold``: seconds for which the client stops in the middle of the request's body; only TCP.
    ``options``: TCP options in hexadecimal, whole words of four bytes, that all segments of the
    client have. They are then made without its kernel, for short exchanges on links without loss.
    ``beside``: the next traffic does not wait until this one ends.
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
    hold: float = 0
    options: TcpOptions = ""
    beside: bool = False


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shell command on a host.

    ``host``: the host.
    ``run``: the command line.
    """

    host: Name
    run: str


class Kill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host that loses its power while traffic flows.

    ``host``: the host.
    ``after``: seconds since the first exchange.
    """

    host: Name
    after: float


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration of the director, traffic, and what its captures must show.

    ``name``: its name.
    ``title``: its title in the report.
    ``service``: virtual services.
    ``traffic``: traffic.
    ``rows``: names of assertions that must hold.
    ``must_fail``: makes the run a negative control: these assertions must fail.
    ``only``: of a negative control: no other assertion may fail.
    ``toa``: whether the option with the client's address is switched on.
    ``synproxy``: whether the services are behind SYNPROXY; ``false`` also takes away an earlier
    one.
    ``synproxy_options``: arguments for the profile's ``synproxy`` program.
    ``keepalived``: keepalived sets the services up, instead of ipvsadm.
    ``local_ports``: first and last local port, if not those of the profile.
    ``logged``: the kernel must log the profile's ``refusal``.
    ``keep``: services stay as the run before left them.
    ``kill``: a host that loses its power while traffic flows.
    ``before``: commands before the director is configured.
    ``prepare``: commands after the director is configured, before the traffic.
    ``beside``: commands that are part of the traffic, beside the exchanges.
    ``during``: commands that are part of the traffic, after the exchanges.
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
    beside: tuple[Command, ...] = ()
    during: tuple[Command, ...] = ()

    @property
    def control(self) -> bool:
        return bool(self.must_fail)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An experiment.

    ``name``: the name of the file.
    ``summary``: one line about it.
    ``topology``: a file of ``builder/lab/topologies/``.
    ``run``: runs, in order.
    ``routing``: how hosts learn of networks beyond their own.
    ``routes``: routes that are added to those of the topology, by host.
    ``setup``: commands before any run.
    ``shared``: addresses that several hosts have in turn, and the topology gives to none.
    """

    name: Name
    summary: str
    topology: Name
    run: tuple[Run, ...]
    routing: Literal["static", "rip"] = "static"
    routes: dict[Name, tuple[Route, ...]] = {}
    setup: tuple[Command, ...] = ()
    shared: tuple[str, ...] = ()
