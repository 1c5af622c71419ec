"""The files that people write, and the structs that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from builder.base.model import Mmdebstrap, Yum
from builder.configuration.model import UserFile
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
    ``schema``: path of its schema, empty if it has none.  ``example``: path of a file of this kind,
    where such files are outside of every project.  ``given``: fields that the loader fills
    in, so that the file does not have them.  ``more``: keys that the loader takes out, with their
    meanings.
    """

    title: str
    place: str
    roots: tuple[Struct, ...]
    schema: str = ""
    example: str = ""
    given: Mapping[Struct, tuple[str, ...]] = field(default_factory=dict)
    more: Mapping[Struct, Mapping[str, str]] = field(default_factory=dict)


DOCUMENTS = (
    Written(
        "profile.toml",
        "specs/<profile>/profile.toml",
        (Profile,),
        "specs/profile.schema.json",
        given={Profile: ("name",), Component: ("name",), Source: ("name",), Fullnat: ("init",)},
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
        given={Scenario: ("name",), Traffic: ("from_port",)},
        more={Run: {"like": "name of an earlier run that has all that is not said here."}},
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
    Written(
        "The user's configuration",
        "`~/.config/lvs-fullnat-builder/config.toml`, or the same below `$XDG_CONFIG_HOME`; for all"
        " users of a machine `/etc/xdg/lvs-fullnat-builder/config.toml`, whose keys a user's file"
        " replaces one by one; or the one file that `LVS_BUILDER_CONFIG` names. `LVS_STAGE_STORE`"
        " replaces `store`, and `LVS_STAGE_TOKEN` what is in `token-file`; `LVS_CACHE_REMOTE` and"
        " `LVS_CACHE_TOKEN` do the same for the compiler cache, and `LVS_WORKERS` replaces `hosts`."
        " The files that it names and itself are refused if other users may change them, or read a"
        " secret in them",
        (UserFile,),
        "builder/configuration/config.schema.json",
        "docs/how-to/scale/config.toml",
    ),
)
