"""The options of ``invoke judge``, in their own module so that listing tasks stays quick."""

from __future__ import annotations

from dataclasses import dataclass

PROFILE = "lts"
HELP = {
    "outside": "captures of the clients' side, separated by commas (pcap, pcapng, also gzipped)",
    "inside": "captures of the servers' side",
    "vip": "virtual services: ADDRESS:PORT or ADDRESS:PORT/udp, separated by commas",
    "local": "local addresses",
    "server": "real servers: ADDRESS:PORT",
    "local-ports": "FIRST-LAST (default: the profile's)",
    "no-toa": "TOA is switched off on the director",
    "strict": "connections that the begin or end of a capture divides are undecided",
    "config": "a TOML file with these keys",
    "profile": f"whose FULLNAT the director runs (default {PROFILE})",
    "output": "folder for report.html and verdict.json (default artifacts/judge)",
    "json": "print the result as JSON",
}


@dataclass(frozen=True)
class Options:
    """The options as given; commas separate list items.  ``config``: a file with options."""

    outside: str | None = None
    inside: str | None = None
    vip: str | None = None
    local: str | None = None
    server: str | None = None
    local_ports: str | None = None
    no_toa: bool = False
    strict: bool = False
    config: str | None = None
    profile: str = PROFILE
    output: str | None = None
    json: bool = False
