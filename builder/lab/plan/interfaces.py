"""Addresses and routes of a host, in the form that its system has for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network

from builder.lab.scenario.model import Host, Route

IFCFG = "/etc/sysconfig/network-scripts"


@dataclass(frozen=True)
class File:
    """A configuration file of a guest."""

    path: str
    text: str


def network_of(route: Route) -> str:
    """Where a route leads, in ip-route(8)'s words."""
    return route.to if route.to == "default" else str(ip_network(route.to))


def ip_commands(host: Host, routes: tuple[Route, ...]) -> tuple[str, ...]:
    """``ip`` commands (ip(8)) that any implementation of it knows, busybox's too."""
    return (*_address_commands(host), *_route_commands(routes))


def _address_commands(host: Host) -> Iterator[str]:
    for number, card in enumerate(host.interface):
        for address in card.addresses:
            yield f"ip address add {address} dev eth{number}"
        yield f"ip link set eth{number} up"


def _route_commands(routes: tuple[Route, ...]) -> Iterator[str]:
    for route in routes:
        family = "-6" if ":" in route.via else "-4"
        yield f"ip {family} route add {network_of(route)} via {route.via}"


def ifcfg_files(host: Host, routes: tuple[Route, ...]) -> tuple[File, ...]:
    """EL6's interface and route files (initscripts: sysconfig.txt), as the experiment has them."""
    files: list[File] = []
    for number, card in enumerate(host.interface):
        name = f"eth{number}"
        lines = [f"DEVICE={name}", "BOOTPROTO=none", "ONBOOT=yes", "TYPE=Ethernet"]
        four = [one for one in map(ip_interface, card.addresses) if one.version == 4]
        six = [one for one in card.addresses if ":" in one]
        for index, one in enumerate(four):
            suffix = str(index) if index else ""
            lines += [f"IPADDR{suffix}={one.ip}", f"PREFIX{suffix}={one.network.prefixlen}"]
        if six:
            lines += ["IPV6INIT=yes", f"IPV6ADDR={six[0]}"]
        if six[1:]:
            lines.append(f'IPV6ADDR_SECONDARIES="{" ".join(six[1:])}"')
        files.append(File(f"{IFCFG}/ifcfg-{name}", "\n".join(lines) + "\n"))
        for prefix, family in (("route-", "."), ("route6-", ":")):
            own = [one for one in routes if family in one.via and _reaches(card.addresses, one)]
            if own:
                text = "".join(f"{network_of(one)} via {one.via}\n" for one in own)
                files.append(File(f"{IFCFG}/{prefix}{name}", text))
    return tuple(files)


def _reaches(addresses: tuple[str, ...], route: Route) -> bool:
    """Whether a route's next hop is a neighbour on a card with these addresses."""
    hop = ip_interface(route.via).ip
    return any(hop in ip_interface(address).network for address in addresses)
