"""Reads scenarios and their topologies; every complaint names file and line."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import msgspec

from builder import names, toml
from builder import text as texts
from builder.lab.oracle import rows
from builder.lab.scenario.model import (
    Host,
    Interface,
    Link,
    Run,
    Scenario,
    Service,
    Topology,
    Traffic,
)

SCENARIOS = Path(__file__).parent / "scenarios"
TOPOLOGIES = Path(__file__).parent / "topologies"
FIRST_CLIENT_PORT = 50026
"""The document's own."""
KEYS = "see docs/lab.md for the keys and their types"


def available(folder: Path = SCENARIOS) -> tuple[str, ...]:
    """Names of the scenarios (or topologies) in a folder, sorted."""
    return tuple(sorted(filter(names.is_name, (path.stem for path in folder.glob("*.toml")))))


def load(
    name: str, scenarios: Path = SCENARIOS, topologies: Path = TOPOLOGIES
) -> tuple[Scenario, Topology]:
    """The scenario of that name and its topology.

    Raises UsageError with file and line for unknown keys, wrong types, addresses that no host
    or two hosts have, and for hosts, links and rows that do not exist.
    """
    rule = "--scenario names files of builder/lab/scenarios/, separated by commas"
    path = scenarios / f"{names.choose('scenario', name, available(scenarios), rule)}.toml"
    text = texts.read(path)
    document = {**_with_likes(path, text, toml.parse(path, text)), "name": name}
    scenario = _numbered(toml.convert(path, text, document, Scenario, "", hint=KEYS))
    topology = load_topology(topologies, scenario.topology, path, text)
    for place, cause, hint in _faults(scenario, topology):
        raise toml.refuse(path, toml.line_of(text, place), cause, hint)
    return scenario, topology


def _with_likes(path: Path, text: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document with every run that is ``like`` an earlier one completed from that."""
    runs: list[dict[str, Any]] = []
    for number, run in enumerate(document.get("run", [])):
        if "like" in run:
            model = next((one for one in runs if one.get("name") == run["like"]), None)
            if model is None:
                raise toml.refuse(
                    path,
                    toml.line_of(text, f"run[{number}].like"),
                    f"there is no run {run['like']!r} before this one",
                    f"runs: {', '.join(str(one.get('name')) for one in runs)}",
                )
            runs.append({**model, **{key: run[key] for key in run if key != "like"}})
        else:
            runs.append(run)
    return {**document, "run": runs}


def _numbered(scenario: Scenario) -> Scenario:
    """With ports for the clients: each exchange has one that no other in the scenario has."""
    port = FIRST_CLIENT_PORT
    runs: list[Run] = []
    for run in scenario.run:
        traffic: list[Traffic] = []
        for one in run.traffic:
            traffic.append(msgspec.structs.replace(one, from_port=port))
            port += one.count
        runs.append(msgspec.structs.replace(run, traffic=tuple(traffic)))
    return msgspec.structs.replace(scenario, run=tuple(runs))


def load_topology(folder: Path, name: str, asker: Path, asked: str) -> Topology:
    """The topology that the file ``asker``, whose text is ``asked``, names."""
    known = available(folder)
    if name not in known:
        raise toml.refuse(
            asker,
            toml.line_of(asked, "topology"),
            f"there is no topology {name!r}{names.nearest(name, known)}",
            f"topologies: {', '.join(known)}",
        )
    path = folder / f"{name}.toml"
    text = texts.read(path)
    document = toml.parse(path, text)
    links = toml.convert_tables(path, text, document.get("link", {}), Link, "link", hint=KEYS)
    hosts = toml.convert_tables(path, text, document.get("host", {}), Host, "host", hint=KEYS)
    document |= {"link": links, "host": hosts}
    topology = toml.convert(path, text, document, Topology, "", hint=KEYS)
    for place, cause, hint in _topology_faults(topology):
        raise toml.refuse(path, toml.line_of(text, place), cause, hint)
    return topology


Fault = tuple[str, str, str]
"""Place in the file, what is wrong, what would be right."""


def _topology_faults(topology: Topology) -> Iterator[Fault]:
    owners: dict[str, str] = {}
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
    networks = [ip_interface(a).network for card in host.interface for a in card.addresses]
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


def _faults(scenario: Scenario, topology: Topology) -> Iterator[Fault]:
    for host in scenario.routes:
        yield from _host_faults(f"routes.{host}", host, topology)
    for number, command in enumerate(scenario.setup):
        yield from _host_faults(f"setup[{number}].host", command.host, topology)
    seen: set[str] = set()
    for number, run in enumerate(scenario.run):
        place = f"run[{number}]"
        if run.name in seen:
            yield f"{place}.name", f"there are two runs {run.name!r}", "give each its own name"
        seen.add(run.name)
        yield from _row_faults(place, run)
        yield from _run_faults(place, run, topology, scenario.shared)


def _run_faults(
    place: str, run: Run, topology: Topology, shared: tuple[str, ...]
) -> Iterator[Fault]:
    asked = {
        "before": [one.host for one in run.before],
        "prepare": [one.host for one in run.prepare],
        "during": [one.host for one in run.during],
        "traffic": [one.host for one in run.traffic],
    }
    if run.kill is not None:
        yield from _host_faults(f"{place}.kill.host", run.kill.host, topology)
    for key, hosts in asked.items():
        for index, host in enumerate(hosts):
            yield from _host_faults(f"{place}.{key}[{index}].host", host, topology)
    for index, service in enumerate(run.service):
        yield from _service_faults(f"{place}.service[{index}]", service, topology, shared)


def _host_faults(place: str, host: str, topology: Topology) -> Iterator[Fault]:
    if host not in topology.host:
        words = f"there is no host {host!r}{names.nearest(host, topology.host)}"
        yield place, words, f"hosts: {', '.join(topology.host)}"


def _row_faults(place: str, run: Run) -> Iterator[Fault]:
    for row in (*run.rows, *run.must_fail):
        if row not in rows.ROWS:
            known = ", ".join(rows.ROWS)
            yield f"{place}.rows", f"the oracle has no row {row!r}", f"rows: {known}"
    for row in run.must_fail:
        if row not in run.rows:
            yield f"{place}.must_fail", f"{row!r} is not judged in this run", "add it to rows"


def _service_faults(
    place: str, service: Service, topology: Topology, shared: tuple[str, ...]
) -> Iterator[Fault]:
    known = ", ".join(address for host in topology.host.values() for address in host.addresses)
    for server in service.servers:
        address = server.rpartition(":")[0].strip("[]")
        if not topology.owner(address):
            yield f"{place}.servers", f"no host has the address {address}", f"addresses: {known}"
    for local in service.local:
        if not topology.owner(local) and local not in shared:
            yield f"{place}.local", f"no host has the address {local}", f"addresses: {known}"
