"""RIP version 2 between router, director and servers, by zebra and ripd (FRR, quagga)."""

from __future__ import annotations

from ipaddress import ip_interface

from builder.lab.plan.interfaces import File
from builder.lab.scenario.model import Topology

FOLDER = "/run/lab/routing"


def speaks(topology: Topology, host: str) -> bool:
    """True for all hosts but clients, which are outside and must not learn the inside."""
    return topology.host[host].role != "client"


def files(topology: Topology, host: str) -> tuple[File, ...]:
    """Configurations of both daemons: RIP on the inner links alone."""
    cards = [
        f"eth{number}"
        for number, card in enumerate(topology.host[host].interface)
        if topology.link[card.link].side == "inner"
    ]
    lines = ["router rip", " version 2", " timers basic 5 60 60"]
    lines += [f" network {card}" for card in cards]
    return (
        File(f"{FOLDER}/zebra.conf", f"hostname {host}\n"),
        File(f"{FOLDER}/ripd.conf", f"hostname {host}\n" + "\n".join(lines) + "\n"),
    )


def start(folder: str) -> tuple[str, ...]:
    """Both daemons of a folder, in the background, as the user that the package made."""
    own = f"-d -f {FOLDER}/%s.conf -i {FOLDER}/%s.pid -z {FOLDER}/zserv.api"
    own += f" --vty_socket {FOLDER} -P 0"
    return (
        f"chmod 0755 /run/lab; chown -R frr:frr {FOLDER}",
        f"{folder}/zebra {own % ('zebra', 'zebra')}",
        # ripd tries again only after 10 s if it does not find zebra
        f"until [ -S {FOLDER}/zserv.api ]; do sleep 0.1; done",
        f"{folder}/ripd {own % ('ripd', 'ripd')}",
    )


def learnt(topology: Topology, host: str) -> tuple[str, ...]:
    """Networks of inner links that are not the host's own, which it must learn."""
    own = {
        str(ip_interface(address).network)
        for card in topology.host[host].interface
        for address in card.addresses
    }
    inner = {
        str(ip_interface(address).network)
        for other in topology.host.values()
        for card in other.interface
        if topology.link[card.link].side == "inner"
        for address in card.addresses
        if ":" not in address
    }
    return tuple(sorted(inner - own))


def wait(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Wait until the kernel has a route to each of them."""
    return tuple(
        f"until ip -4 route | grep -q '^{network} '; do sleep 0.1; done" for network in networks
    )
