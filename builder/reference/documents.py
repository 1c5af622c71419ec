"""The files that people write, and the structs that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from builder.base.model import Mmdebstrap, Yum
from builder.lab.scenario.model import Run, Scenario, Topology, Traffic
from builder.lab.series import Fullnat
from builder.lab.trace.director import Described
from builder.profile.model import Component, Profile
from builder.source.model import Source

Struct = type[msgspec.Struct]


@dataclass(frozen=True)
class Written:
    """A kind of file.

    ``roots``: the structs that it may be, of which one fits.  ``place``: the path of such files.
    ``schema``: path of its schema, empty if it has none.  ``given``: fields that the loader fills
    in, so that the file does not have them.  ``more``: keys that the loader takes out, with their
    meanings.
    """

    title: str
    place: str
    roots: tuple[Struct, ...]
    schema: str = ""
    given: Mapping[Struct, tuple[str, ...]] = field(default_factory=dict)
    more: Mapping[Struct, Mapping[str, str]] = field(default_factory=dict)


DOCUMENTS = (
    Written(
        "profile.toml",
        "specs/<profile>/profile.toml",
        (Profile,),
        "specs/profile.schema.json",
        {Profile: ("name",), Component: ("name",), Source: ("name",), Fullnat: ("init",)},
    ),
    Written(
        "base.toml",
        "dockerfiles/<base>/base.toml",
        (Mmdebstrap, Yum),
        "dockerfiles/base.schema.json",
    ),
    Written(
        "Scenarios",
        "builder/lab/scenarios/<scenario>.toml",
        (Scenario,),
        "builder/lab/scenario.schema.json",
        {Scenario: ("name",), Traffic: ("from_port",)},
        {Run: {"like": "name of an earlier run that has all that is not said here."}},
    ),
    Written(
        "Topologies",
        "builder/lab/topologies/<topology>.toml",
        (Topology,),
        "builder/lab/topology.schema.json",
    ),
    Written(
        "Directors of your own",
        "the file of `invoke judge --config`, with the names of its options",
        (Described,),
    ),
)
