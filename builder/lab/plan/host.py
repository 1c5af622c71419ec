"""Everything that makes a bare guest a host of the topology."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from builder.lab.plan import balancing, interfaces, keepalived, routing, settings
from builder.lab.plan.interfaces import File
from builder.lab.scenario.model import Run, Scenario, Topology
from builder.lab.series import Fullnat

TRAFFIC = "/run/lab/traffic"
PORTS = ("tcp/8080", "udp/5353")
"""Where servers serve."""


@dataclass(frozen=True)
class Configuration:
    """A host's files and commands, in their order; ``wait``: commands that wait for its routes."""

    host: str
    files: tuple[File, ...]
    commands: tuple[str, ...]
    wait: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """A script for sh; it ends with the status of the first command that fails."""
        return "\n".join(("set -e", *map(_written, self.files), *self.commands))

    @property
    def waiting(self) -> str:
        return "\n".join(("set -e", *self.wait))


def _written(file: File) -> str:
    folder = file.path.rpartition("/")[0]
    return f"mkdir -p {folder}\nprintf %s {shlex.quote(file.text)} >{file.path}"


def uses_rip(scenario: Scenario, series: Fullnat) -> bool:
    """Whether routes are learnt: the scenario asks for it, and the profile has a ripd."""
    return scenario.routing == "rip" and bool(series.routing)


def configuration(
    scenario: Scenario, topology: Topology, series: Fullnat, name: str
) -> Configuration:
    """How to make ``name`` the host that the topology describes."""
    host = topology.host[name]
    routes = (*host.routes, *scenario.routes.get(name, ()))
    rip = uses_rip(scenario, series) and routing.speaks(topology, name)
    if rip:  # it does not know IPv6
        routes = tuple(route for route in routes if ":" in route.via)
    files: list[File] = []
    commands = [*_switches(host.forward and not (host.role == "director" and series.settings))]
    if host.role == "director":
        commands += ["modprobe ip_vs", *series.prepare, *settings.check(series)]
    if series.init == "sysv" and (host.role == "director" or not series.companion):
        files += interfaces.ifcfg_files(host, routes)
    commands += interfaces.ip_commands(host, routes)
    wait: tuple[str, ...] = ()
    if rip:
        files += routing.files(topology, name)
        commands += routing.start(series.routing)
        wait = routing.wait(routing.learnt(topology, name))
    if host.role == "server":
        commands.append(f"{TRAFFIC} serve {name} {' '.join(PORTS)}")
    commands += [command.run for command in scenario.setup if command.host == name]
    return Configuration(name, tuple(files), tuple(commands), wait)


def _switches(forward: bool) -> Iterable[str]:
    # no waiting for duplicate address detection: every address is this file's own
    yield "for one in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$one; done"
    if forward:
        yield "echo 1 >/proc/sys/net/ipv4/ip_forward"
        yield "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"


def director_commands(run: Run, series: Fullnat) -> tuple[str, ...]:
    """The director's commands of a run, in the experiment's order."""
    if run.keep:
        return ()
    services = keepalived.commands(run) if run.keepalived else balancing.commands(run, series)
    return (*balancing.switches(run, series), *services)
