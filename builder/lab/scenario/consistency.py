"""What can be wrong with scenarios and topologies that have the right keys and types."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network

from builder import names
from builder.lab.oracle import rows
from builder.lab.scenario.model import (
    Host,
    Interface,
    Run,
    Scenario,
    Service,
    Topology,
    Traffic,
)

Fault = tuple[str, str, str]
"""Place in the file, what is wrong, what would be right."""


def of_topology(topology: Topology) -> Iterator[Fault]:
    """Hosts, links and addresses that do not fit together, and texts that say nothing."""
    owners: dict[str, str] = {}
    yield from _text_faults("summary", topology.summary)
    for name, link in topology.link.items():
        yield from _text_faults(f"link.{name}.title", link.title)
    for name, host in topology.host.items():
        for number, card in enumerate(host.interface):
            yield from _card_faults(
                f"host.{name}.interface[{number}]", name, card, topology, owners
            )
        yield from _route_faults(f"host.{name}.routes", host)
    for name in topology.link:
        if len(topology.hosts_on(name)) < 2:
            yield f"link.{name}", f"link {name!r} joins fewer than two hosts", "take it out"
    for role in ("client", "director"):
        if not topology.with_role(role):
            yield "host", f"no host has the role {role!r}", "give it to one"


def _card_faults(
    place: str, host: str, card: Interface, topology: Topology, owners: dict[str, str]
) -> Iterator[Fault]:
    if card.link not in topology.link:
        known = ", ".join(topology.link)
        yield f"{place}.link", f"there is no link {card.link!r}", f"links: {known}"
    for address in card.addresses:
        yield from _address_faults(f"{place}.addresses", host, address, owners)


def _address_faults(place: str, host: str, address: str, owners: dict[str, str]) -> Iterator[Fault]:
    try:
        plain = str(ip_interface(address).ip)
    except ValueError as error:
        yield place, str(error), "write ADDRESS/PREFIX, such as 10.0.1.2/24"
        return
    if "/" not in address:
        yield place, f"{address} has no prefix length", f"write {address}/24 or the like"
    if owners.setdefault(plain, host) != host:
        yield place, f"{plain} is {owners[plain]}'s already", "give each host its own"


def _route_faults(place: str, host: Host) -> Iterator[Fault]:
    interfaces = [a for card in host.interface for a in card.addresses if _is_interface(a)]
    networks = [ip_interface(address).network for address in interfaces]
    for route in host.routes:
        try:
            via = ip_address(route.via)
            if route.to != "default":
                ip_network(route.to)
        except ValueError as error:
            yield place, str(error), "write { to = NETWORK, via = ADDRESS }"
            continue
        if not any(via in network for network in networks):
            yield place, f"{route.via} is on no link of this host", "name a neighbour's address"


def of_runs(scenario: Scenario) -> Iterator[Fault]:
    """Texts, names and assertions of the runs, whatever the topology."""
    seen: set[str] = set()
    yield from _text_faults("summary", scenario.summary)
    for number, run in enumerate(scenario.run):
        place = f"run[{number}]"
        if run.name in seen:
            yield f"{place}.name", f"there are two runs {run.name!r}", "give each its own name"
        seen.add(run.name)
        yield from _text_faults(f"{place}.title", run.title)
        if run.synproxy_options and not run.synproxy:
            yield f"{place}.synproxy_options", "the run has no SYNPROXY", "say synproxy = true"
        yield from _row_faults(place, run)


def of_scenario(scenario: Scenario, topology: Topology) -> Iterator[Fault]:
    """All that is wrong with a scenario in its topology."""
    yield from of_runs(scenario)
    for host in scenario.routes:
        yield from _host_faults(f"routes.{host}", host, topology)
    for number, command in enumerate(scenario.setup):
        yield from _host_faults(f"setup[{number}].host", command.host, topology)
    for number, run in enumerate(scenario.run):
        yield from _run_faults(f"run[{number}]", run, topology, scenario.shared)


def _text_faults(place: str, text: str) -> Iterator[Fault]:
    """Whether a page and a list can show the text: one line, and not an empty one."""
    if not text.strip() or not text.isprintable():
        key = place.rpartition(".")[2]
        lack = "is empty" if not text.strip() else "is not one line of text"
        yield place, f"{key} {lack}", f'write {key} = "..." with a few words'


def _run_faults(
    place: str, run: Run, topology: Topology, shared: tuple[str, ...]
) -> Iterator[Fault]:
    asked = {
        "before": [one.host for one in run.before],
        "prepare": [one.host for one in run.prepare],
        "beside": [one.host for one in run.beside],
        "during": [one.host for one in run.during],
        "traffic": [one.host for one in run.traffic],
    }
    if run.kill is not None:
        yield from _host_faults(f"{place}.kill.host", run.kill.host, topology)
    for key, hosts in asked.items():
        for index, host in enumerate(hosts):
            yield from _host_faults(f"{place}.{key}[{index}].host", host, topology)
    for index, traffic in enumerate(run.traffic):
        yield from _traffic_faults(f"{place}.traffic[{index}]", traffic, topology)
    for index, service in enumerate(run.service):
        yield from _service_faults(f"{place}.service[{index}]", service, topology, shared)


def _traffic_faults(place: str, traffic: Traffic, topology: Topology) -> Iterator[Fault]:
    """Whether the asking host has an address of the family that it asks."""
    if traffic.protocol == "udp":
        for key in ("hold", "options"):
            if getattr(traffic, key):
                yield f"{place}.{key}", f"{key} is for TCP, and this traffic is UDP", "remove it"
    place = f"{place}.address"
    if not _is_address(traffic.address):
        yield place, f"{traffic.address!r} is not an address", "write an address without a prefix"
    elif traffic.host in topology.host:
        six = ":" in traffic.address
        own = topology.host[traffic.host].addresses
        if not any((":" in address) == six for address in own):
            words = f"{traffic.host} has no address to ask {traffic.address} from"
            yield place, words, f"its addresses: {', '.join(own)}"


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _is_interface(word: str) -> bool:
    try:
        ip_interface(word)
    except ValueError:
        return False
    return True


def _host_faults(place: str, host: str, topology: Topology) -> Iterator[Fault]:
    if host not in topology.host:
        words = f"there is no host {host!r}{names.nearest(host, topology.host)}"
        yield place, words, f"hosts: {', '.join(topology.host)}"


def _row_faults(place: str, run: Run) -> Iterator[Fault]:
    for key, named in (("rows", run.rows), ("must_fail", run.must_fail)):
        for row in named:
            if row not in rows.ROWS:
                words = f"the oracle has no assertion {row!r}{names.nearest(row, rows.ROWS)}"
                yield f"{place}.{key}", words, "docs/reference/assertions.md lists them"
    for row in run.must_fail:
        if row in rows.ROWS and row not in run.rows:
            yield f"{place}.must_fail", f"{row!r} is not judged in this run", "add it to rows"


def _service_faults(
    place: str, service: Service, topology: Topology, shared: tuple[str, ...]
) -> Iterator[Fault]:
    known = ", ".join(address for host in topology.host.values() for address in host.addresses)
    if service.ops and service.protocol != "udp":
        yield f"{place}.ops", "one-packet scheduling is for UDP", 'write protocol = "udp"'
    if not _is_address(service.address):
        words = f"{service.address!r} is not an address"
        yield f"{place}.address", words, "write an address without a prefix"
    for server in service.servers:
        address, _, port = server.rpartition(":")
        address = address.strip("[]")
        if not port.isdecimal():
            yield f"{place}.servers", f"{server!r} has no port", "write ADDRESS:PORT"
        elif not topology.owner(address):
            yield f"{place}.servers", f"no host has the address {address}", f"addresses: {known}"
    for local in service.local:
        if not topology.owner(local) and local not in shared:
            yield f"{place}.local", f"no host has the address {local}", f"addresses: {known}"
