"""Help for the options of ``invoke judge``, in its own module so that listing tasks stays quick."""

from __future__ import annotations

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
