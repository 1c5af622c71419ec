"""How long a scenario takes where it has never run: from its runs and the waits in its traffic."""

from __future__ import annotations

from builder.lab.scenario.model import Run, Scenario, Traffic

START = 12.0
"""Seconds until all hosts are up and configured, on two processors without KVM."""
RUN = 5.0
"""Seconds of a run besides what its traffic waits for, on the same machine."""


def seconds(scenario: Scenario) -> float:
    """About how long the recording takes."""
    return START + sum(RUN + _waits(run) for run in scenario.run)


def _waits(run: Run) -> float:
    """Seconds in which the clients do nothing because the scenario says so."""
    in_turn = sum(_wait(one) for one in run.traffic if not one.beside)
    return max([in_turn, *(_wait(one) for one in run.traffic if one.beside)])


def _wait(traffic: Traffic) -> float:
    return (traffic.pause + traffic.hold) * traffic.count
