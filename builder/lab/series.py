"""What differs between FULLNAT's implementations, as far as a capture or a command shows it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from builder.values import Init, OptionalName

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
OptionKind = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Fullnat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What FULLNAT of a profile looks like on the wire.

    ``local_ports``: first and last port towards servers.
    ``sequence``: whether the client's sequence numbers are kept towards servers.
    ``timestamp``: whether the client's timestamp option is kept towards servers.
    ``toa_kind``: kind of the TCP option that has the client's IPv4 address.
    ``toa_switches``: sysctls that switch this option on.
    ``port_switches``: sysctls of the first and the last local port.
    ``refusal``: what the kernel logs when a connection finds no local address; a regular
    expression.
    ``toa_kind6``: kind of the option for IPv6; 0 if there is none.
    ``init``: the profile's own ``init``.
    ``routing``: folder of zebra and ripd; empty if there is no ripd.
    ``companion``: the profile whose image all hosts but directors boot, if this profile's image
    runs too little for clients and servers.
    ``prepare``: commands on the director before it gets services, the start of its own package
    among them.
    ``settings``: the sysctl.d(5) file that its package ships; directors of the lab run with it.
    Empty if it ships none.
    ``synproxy``: the program that puts services behind SYNPROXY (``add``, ``del``); empty if
    ipvsadm has a switch for it.
    ``unsupported``: scenarios and assertions that this kernel or these tools cannot do, with the
    reason.
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
