"""All mistakes in the lab's files, with file and line; loading a file raises only the first."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from builder import names, toml
from builder import text as texts
from builder.errors import UsageError
from builder.lab import catalogue
from builder.lab.catalogue import KEYS
from builder.lab.scenario import consistency
from builder.lab.scenario.model import Run, Scenario
from builder.lab.scenario.shipped import METHODS, SCENARIOS, TOPOLOGIES

Mistakes = tuple[UsageError, ...]
_RUN = re.compile(r"run\[(\d+)\]\.(\w+)")


def check(
    wanted: tuple[str, ...] = (), scenarios: Path = SCENARIOS, topologies: Path = TOPOLOGIES
) -> Mistakes:
    """The mistakes in the named scenarios (all if none is named), all topologies and load methods.

    Raises UsageError for a name that is not a scenario.
    """
    found: list[UsageError] = []
    for name in wanted:
        catalogue.document_of(name, scenarios)
    for name in wanted or sorted(path.stem for path in scenarios.glob("*.toml")):
        path = scenarios / f"{name}.toml"
        found += _scenario(path, topologies) or _caught(functools.partial(_unproven, path))
    found += _scenario(METHODS / "methods.toml", topologies)
    for path in sorted(topologies.glob("*.toml")):
        found += _caught(functools.partial(_topology, path))
    return tuple({(one.what, one.cause): one for one in found}.values())


def advice(found: Mistakes) -> str:
    """What to do about mistakes: a mistake's own hint if it is the only one."""
    return found[0].hint if len(found) == 1 else KEYS


def _caught(check: Callable[[], Iterator[UsageError]]) -> list[UsageError]:
    """All mistakes that a check yields, and the one that ends it."""
    found: list[UsageError] = []
    try:
        found.extend(check())
    except UsageError as error:
        found.append(error)
    return found


def _scenario(path: Path, topologies: Path) -> list[UsageError]:
    if not names.is_name(path.stem):
        return [toml.refuse(path, 1, f"this is not a scenario's name: {names.RULE}", KEYS)]
    unreadable = _caught(functools.partial(_unreadable, path))
    return unreadable or _caught(functools.partial(_misfits, path, topologies))


def _unreadable(path: Path) -> Iterator[UsageError]:
    """Wrong keys and types, of each run and of the rest."""
    text = texts.read(path)
    document = toml.parse(path, text)
    runs = document.get("run", [])
    alone = isinstance(runs, list) and all(isinstance(run, dict) for run in runs)
    whole = {**document, "name": path.stem, "run": [] if alone else runs}
    yield from _refused(path, text, whole, Scenario, "")
    for number, run in enumerate(runs if alone else ()):
        # What a run inherits from another run is checked in that run.
        lent = {"name": "other", "title": ""} if "like" in run else {}
        own = {**lent, **{key: run[key] for key in run if key != "like"}}
        yield from _refused(path, text, own, Run, f"run[{number}]")


def _refused(
    path: Path, text: str, value: Any, kind: type[Scenario | Run], prefix: str
) -> Iterator[UsageError]:
    try:
        toml.convert(path, text, value, kind, prefix, hint=KEYS)
    except UsageError as error:
        yield error


def _unproven(path: Path) -> Iterator[UsageError]:
    """A verdict needs a run that proves something, and one that must fail."""
    _, text, document = catalogue.document_of(path.stem, path.parent)
    controls = {
        run.control for run in toml.convert(path, text, document, Scenario, "", hint=KEYS).run
    }
    if False not in controls:
        yield toml.refuse(path, 1, "no run is a proof", "add one, without must_fail")
    if True not in controls:
        yield toml.refuse(path, 1, "no run is a negative control", "add one, with must_fail")


def _misfits(path: Path, topologies: Path) -> Iterator[UsageError]:
    """What does not fit together in a scenario that can be read."""
    _, text, document = catalogue.document_of(path.stem, path.parent)
    scenario = toml.convert(path, text, document, Scenario, "", hint=KEYS)
    runs = toml.parse(path, text).get("run", [])
    for place, cause, hint in consistency.of_runs(scenario):
        if not _is_inherited(place, runs):
            yield toml.refuse(path, toml.line_of(text, place), cause, hint)
    other = catalogue.topology_file(topologies, scenario.topology, path, text)
    topology = catalogue.topology_of(other, texts.read(other))
    if any(consistency.of_topology(topology)):
        return  # they are reported for the topology's own file
    for place, cause, hint in consistency.of_scenario(scenario, topology):
        if not _is_inherited(place, runs):
            yield toml.refuse(path, toml.line_of(text, place), cause, hint)


def _is_inherited(place: str, runs: list[dict[str, Any]]) -> bool:
    """Whether a run inherits this from the run that it is like, where it is reported already."""
    found = _RUN.match(place)
    if found is None:
        return False
    run = runs[int(found[1])]
    return "like" in run and found[2] not in run


def _topology(path: Path) -> Iterator[UsageError]:
    text = texts.read(path)
    for place, cause, hint in consistency.of_topology(catalogue.topology_of(path, text)):
        yield toml.refuse(path, toml.line_of(text, place), cause, hint)
