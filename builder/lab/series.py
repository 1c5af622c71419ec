"""What differs between FULLNAT's implementations, as far as a capture or a command shows it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from builder.names import OptionalName
from builder.values import Init

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
OptionKind = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Fullnat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile's FULLNAT: the table ``[lab]`` of its profile.toml.

    ``local_ports``: first and last port towards servers.  ``sequence``: whether the client's
    sequence numbers are kept towards servers.  ``timestamp``: whether its timestamp option is.
    ``toa_kind``: TCP option with the client's address; ``toa_kind6``: the same for IPv6, 0 if
    there is none.  ``toa_switches`` and ``port_switches``: sysctls.  ``refusal``: what the
    kernel logs, as a regular expression, when a connection finds no local address.
    ``init``: the profile's own.  ``routing``: folder of zebra and ripd, empty
    if there is no ripd.  ``prepare``: commands on the director before it gets services, its
    package's own start among them.  ``settings``: the sysctl.d(5) file that its package ships:
    directors run with what it says, but for what a run changes; empty if it ships none.
    ``synproxy``: the program that puts services behind SYNPROXY (``add``, ``del``); empty if
    ipvsadm has a switch for it.
    ``companion``: the profile whose image all hosts but directors boot, if this one's runs too
    little for clients and servers.  ``unsupported``: scenarios and rows that this kernel or
    these tools cannot do, with the reason.
    """

    local_ports: tuple[Port, Port]
    sequence: Literal["kept", "randomised"]
    timestamp: Literal["kept", "removed"]
    toa_kind: OptionKind
    toa_switches: tuple[str, ...]
    port_switches: tuple[str, str]
    refusal: str
    toa_kind6: OptionKind = 0
    init: Init = "systemd"
    routing: str = ""
    companion: OptionalName = ""
    prepare: tuple[str, ...] = ()
    settings: str = ""
    synproxy: str = ""
    unsupported: dict[str, str] = {}
