"""Brings what a scenario came to into ``artifacts/<profile>/lab/<scenario>/``."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.errors import SmokeError
from builder.host.removal import remove
from builder.lab.capture import files, pcapng
from builder.lab.laboratory import Result
from builder.lab.page import html
from builder.lab.scenario.model import Scenario, Topology
from builder.lab.series import Series
from builder.lab.verdict import FILE, Verdict, save

CONSOLES = "consoles"
CAPTURES = "captures"


def names_of(topology: Topology, scenario: Scenario) -> dict[str, str]:
    """Names for Wireshark to show in place of addresses."""
    names = {address: name for name, host in topology.host.items() for address in host.addresses}
    virtual = {service.address for run in scenario.run for service in run.service}
    local = {one for run in scenario.run for service in run.service for one in service.local}
    names |= dict.fromkeys(virtual, "vip")
    names |= {address: f"local-{address.replace(':', '-')}" for address in local - virtual}
    return names


def _keep_captures(scenario: Scenario, topology: Topology, work: Path, target: Path) -> None:
    target.mkdir()
    names = names_of(topology, scenario)
    for host, machine in topology.host.items():
        for number, card in enumerate(machine.interface):
            place = f"{host}-{card.link}"
            link = topology.link[card.link]
            pcapng.write(
                target / f"{place}.pcapng",
                f"{host}:eth{number}",
                f"link {card.link} ({link.title}), as {host} has it",
                names,
                files.frames(work / CAPTURES / f"{place}.pcap"),
            )


def publish(result: Result, series: Series, work: Path, target: Path) -> Path:
    """Verdict, captures, consoles and report, all or nothing; returns the report's path."""
    aside = _aside(target)
    _keep_captures(result.scenario, result.topology, work, aside / CAPTURES)
    shutil.copytree(work / CONSOLES, aside / CONSOLES)
    page = html.render(result, series, work / CONSOLES)
    (aside / html.PAGE).write_text(page, encoding="utf-8")
    save(result.verdict, aside / FILE)
    _settle(aside, target)
    return target / html.PAGE


def publish_failure(verdict: Verdict, error: SmokeError, work: Path, target: Path) -> None:
    """What there is of an experiment that came to no verdict; ``error`` then names its log."""
    aside = _aside(target)
    for folder in (CONSOLES, CAPTURES):
        if (work / folder).is_dir():
            shutil.copytree(work / folder, aside / folder)
    save(verdict, aside / FILE)
    _settle(aside, target)
    if error.log is not None and error.log.is_relative_to(work):
        error.log = target / error.log.relative_to(work)


def publish_verdict(verdict: Verdict, target: Path) -> None:
    """The verdict alone, of a scenario that was not tried."""
    aside = _aside(target)
    save(verdict, aside / FILE)
    _settle(aside, target)


def _aside(target: Path) -> Path:
    aside = target.with_name(f".{target.name}.new")
    remove(aside, target.parent)
    aside.mkdir(parents=True)
    return aside


def _settle(aside: Path, target: Path) -> None:
    remove(target, target.parent)
    aside.rename(target)
