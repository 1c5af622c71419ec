"""The director's services: ipvsadm commands in the experiment's order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from builder.lab.capture.packet import endpoint
from builder.lab.plan import settings
from builder.lab.scenario.model import Run, Service
from builder.lab.series import Fullnat

METHODS = {"fullnat": "-b", "nat": "-m", "dr": "-g", "tun": "-i"}
FLAGS = {"tcp": "-t", "udp": "-u"}
LAST_PORT = 65535


def commands(run: Run, series: Fullnat) -> tuple[str, ...]:
    """``-C``, then for each service ``-A``, ``-a`` per server, ``-P`` per local address.

    SYNPROXY is set by a switch of ipvsadm, or by a program of the series.
    """
    switch = bool(run.synproxy) and not series.synproxy
    services = (word for one in run.service for word in _service(one, switch))
    return (*_without(run, series), "ipvsadm -C", *services, *_synproxy(run, series))


def _without(run: Run, series: Fullnat) -> Iterator[str]:
    if series.synproxy and run.synproxy is not None:
        yield f"{series.synproxy} del --all"


def _synproxy(run: Run, series: Fullnat) -> Iterator[str]:
    if series.synproxy and run.synproxy:
        names = (endpoint(one.address, one.port) for one in run.service if one.protocol == "tcp")
        yield shlex.join((series.synproxy, "add", *names, *run.synproxy_options))


def _service(service: Service, synproxy: bool) -> Iterator[str]:
    flag, name = FLAGS[service.protocol], endpoint(service.address, service.port)
    switches = (" -o" if service.ops else "") + (" -j enable" if synproxy else "")
    yield f"ipvsadm -A {flag} {name} -s {service.scheduler}{switches}"
    for server in service.servers:
        yield f"ipvsadm -a {flag} {name} -r {server} {METHODS[service.method]}"
    for local in service.local:
        yield f"ipvsadm -P {flag} {name} -z {local}"


def switches(run: Run, series: Fullnat) -> tuple[str, ...]:
    """The series' sysctls for a run: as its package ships them, but for what the run changes."""
    ports = run.local_ports or (None if series.settings else series.local_ports)
    toa = None if run.toa and series.settings else int(run.toa)
    wanted = [(name, toa) for name in series.toa_switches]
    # First out of the way: a minimum above the maximum is refused.
    wanted.append((series.port_switches[1], LAST_PORT))
    wanted += zip(series.port_switches, ports or (None, None), strict=True)
    return tuple(f"sysctl -q -w {name}={_value(name, value, series)}" for name, value in wanted)


def _value(name: str, value: int | None, series: Fullnat) -> str:
    return settings.shipped(name, series) if value is None else str(value)
