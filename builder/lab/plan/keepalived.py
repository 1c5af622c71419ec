"""A run's services as keepalived's configuration, with local_address_group (lvs-tools' doc)."""

from __future__ import annotations

from collections.abc import Iterator

from builder.lab.scenario.model import Run, Service

PATH = "/run/lab/keepalived.conf"
KINDS = {"fullnat": "FNAT", "nat": "NAT", "dr": "DR", "tun": "TUN"}


def configuration(run: Run) -> str:
    """Every service with health checks of its servers, once a second."""
    lines = ["global_defs {", "\trouter_id lab", "}"]
    for number, service in enumerate(run.service):
        lines += _service(service, f"lab{number}")
    return "\n".join(lines) + "\n"


def _service(service: Service, group: str) -> Iterator[str]:
    if service.local:
        yield f"local_address_group {group} {{"
        yield from (f"\t{address}" for address in service.local)
        yield "}"
    yield f"virtual_server {service.address} {service.port} {{"
    yield "\tdelay_loop 1"
    yield f"\tlb_algo {service.scheduler}"
    yield f"\tlb_kind {KINDS[service.method]}"
    yield f"\tprotocol {service.protocol.upper()}"
    if service.ops:
        yield "\tops"
    if service.local:
        yield f"\tladdr_group_name {group}"
    for server in service.servers:
        address, _, port = server.rpartition(":")
        yield f"\treal_server {address} {port} {{"
        yield "\t\tweight 1"
        yield "\t\tTCP_CHECK {"
        yield "\t\t\tconnect_timeout 2"
        yield "\t\t}"
        yield "\t}"
    yield "}"


def commands(run: Run) -> tuple[str, ...]:
    """Writes it, starts the health checker, and waits until every server is in the table."""
    servers = [server for service in run.service for server in service.servers]
    return (
        "ipvsadm -C",
        f"cat >{PATH} <<'END'\n{configuration(run)}END",
        f"keepalived -C -f {PATH}",
        *(f"until ipvsadm -L -n | grep -q {server}; do sleep 0.2; done" for server in servers),
    )
