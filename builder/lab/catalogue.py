"""Reads scenarios and their topologies; every complaint names file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from builder import names, toml
from builder import text as texts
from builder.lab.scenario import consistency
from builder.lab.scenario.model import (
    Host,
    Link,
    Run,
    Scenario,
    Topology,
    Traffic,
)
from builder.lab.scenario.shipped import SCENARIOS, TOPOLOGIES, available

__all__ = ["SCENARIOS", "TOPOLOGIES", "available", "load", "load_topology"]

FIRST_CLIENT_PORT = 50026
"""The experiment's own (docs/explanation/experiment.md)."""
KEYS = "see docs/reference/configuration.md for the keys and their types"


def load(
    name: str, scenarios: Path = SCENARIOS, topologies: Path = TOPOLOGIES
) -> tuple[Scenario, Topology]:
    """The scenario of that name and its topology.

    Raises UsageError with file and line for unknown keys, wrong types, addresses that no host
    or two hosts have, and for hosts, links and rows that do not exist.
    """
    path, text, document = document_of(name, scenarios)
    scenario = numbered(toml.convert(path, text, document, Scenario, "", hint=KEYS))
    topology = load_topology(topologies, scenario.topology, path, text)
    for place, cause, hint in consistency.of_scenario(scenario, topology):
        raise toml.refuse(path, toml.line_of(text, place), cause, hint)
    return scenario, topology


def document_of(name: str, scenarios: Path) -> tuple[Path, str, dict[str, Any]]:
    """A scenario's file, its text and its content, with every run complete."""
    rule = "--scenario names files of builder/lab/scenarios/, separated by commas"
    path = scenarios / f"{names.choose('scenario', name, available(scenarios), rule)}.toml"
    text = texts.read(path)
    return path, text, {**_with_likes(path, text, toml.parse(path, text)), "name": name}


def _with_likes(path: Path, text: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document, with each run that is ``like`` an earlier run completed from that run."""
    found = document.get("run", [])
    if not isinstance(found, list) or not all(isinstance(run, dict) for run in found):
        return document  # it is refused as a whole
    runs: list[dict[str, Any]] = []
    for number, run in enumerate(found):
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


def numbered(scenario: Scenario) -> Scenario:
    """The scenario with ports for the clients, a different port for each exchange."""
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
    path = topology_file(folder, name, asker, asked)
    text = texts.read(path)
    topology = topology_of(path, text)
    for place, cause, hint in consistency.of_topology(topology):
        raise toml.refuse(path, toml.line_of(text, place), cause, hint)
    return topology


def topology_file(folder: Path, name: str, asker: Path, asked: str) -> Path:
    """A topology's file; raises a UsageError about ``asker`` if there is none."""
    known = available(folder)
    if name not in known:
        raise toml.refuse(
            asker,
            toml.line_of(asked, "topology"),
            f"there is no topology {name!r}{names.nearest(name, known)}",
            f"topologies: {', '.join(known)}",
        )
    return folder / f"{name}.toml"


def topology_of(path: Path, text: str) -> Topology:
    """The topology in a file; only types and keys are checked."""
    document = toml.parse(path, text)
    links = toml.convert_tables(path, text, document.get("link", {}), Link, "link", hint=KEYS)
    hosts = toml.convert_tables(path, text, document.get("host", {}), Host, "host", hint=KEYS)
    document |= {"link": links, "host": hosts}
    return toml.convert(path, text, document, Topology, "", hint=KEYS)
