"""Scenarios are data, and every mistake in them is told with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from builder.errors import UsageError
from builder.lab import catalogue
from builder.lab.plan import balancing, routing
from builder.lab.plan import host as plan
from builder.lab.plan.interfaces import ifcfg_files
from tests.support.lab.wire import SERIES


@pytest.mark.parametrize("name", catalogue.available())
def test_shipped_scenarios_load(name: str) -> None:
    scenario, topology = catalogue.load(name)
    assert any(not run.control for run in scenario.run), "it proves nothing"
    assert any(run.control for run in scenario.run), "a verdict needs a negative control"
    ports = [
        one.from_port + index
        for run in scenario.run
        for one in run.traffic
        for index in range(one.count)
    ]
    assert len(ports) == len(set(ports)), "connections are told apart by the client's ports"
    for run in scenario.run:
        assert set(run.must_fail) <= set(run.rows)
    assert topology.with_role("director")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Copies that a test may spoil."""
    shutil.copytree(catalogue.SCENARIOS, tmp_path / "scenarios")
    shutil.copytree(catalogue.TOPOLOGIES, tmp_path / "topologies")
    return tmp_path / "scenarios", tmp_path / "topologies"


# What is replaced in which file, and what the message must have, with the line of the new text.
MISTAKES = (
    ("scenarios/fullnat.toml", 'routing = "rip"', 'ruoting = "rip"', "ruoting"),
    ("scenarios/fullnat.toml", "count = 4", 'count = "four"', "Expected `int`"),
    ("scenarios/fullnat.toml", '"inner-source", "toa-first"', '"inner-sauce"', "inner-sauce"),
    ("scenarios/fullnat.toml", 'topology = "seed"', 'topology = "sead"', "no topology 'sead'"),
    ("scenarios/fullnat.toml", 'like = "proof"', 'like = "prof"', "no run 'prof'"),
    ("scenarios/nat.toml", "web2 = [{ to", "web3 = [{ to", "no host 'web3'"),
    ("scenarios/fullnat-udp.toml", 'local = ["10.0.3.1"]', 'local = ["10.9.9.9"]', "10.9.9.9"),
    ("scenarios/fullnat-udp.toml", '"10.0.5.2:5353"]', '"10.0.5.9:5353"]', "10.0.5.9"),
    ("scenarios/toa.toml", 'name = "bare"', 'name = "proof"', "two runs 'proof'"),
    ("topologies/seed.toml", '"10.0.5.2/24"', '"10.0.4.2/24"', "10.0.4.2 is web1's already"),
    ("topologies/seed.toml", '"10.0.5.2/24"', '"10.0.5.2"', "no prefix length"),
    ("topologies/seed.toml", '"10.0.5.2/24"', '"10.0.5.300/24"', "10.0.5.300"),
    ("topologies/seed.toml", '{ link = "web2", a', '{ link = "web3", a', "no link 'web3'"),
    ("topologies/seed.toml", 'via = "10.0.5.254"', 'via = "10.0.6.254"', "no link of this host"),
    ("topologies/seed.toml", 'role = "client"', 'role = "customer"', "customer"),
    ("topologies/seed.toml", "[link.outer]", "[link.outer", "Expected ']'"),
)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"), MISTAKES, ids=[mistake[3] for mistake in MISTAKES]
)
def test_mistakes_are_told_with_file_and_line(
    folders: tuple[Path, Path], file: str, old: str, new: str, words: str
) -> None:
    path = folders[0].parent / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    name = path.stem if file.startswith("scenarios") else "fullnat"
    with pytest.raises(UsageError) as caught:
        catalogue.load(name, *folders)
    assert words in str(caught.value)
    line = int(caught.value.what.partition(":")[2].split(" ", 1)[0])
    assert caught.value.what.startswith(file)
    first = path.read_text().splitlines()[line - 1]
    around = "\n".join(path.read_text().splitlines()[max(0, line - 8) : line + 8])
    assert first.strip(), "an empty line is no place of a mistake"
    assert new.splitlines()[0] in around


def test_an_unknown_scenario_is_answered_with_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.load("fulnat")
    assert "fullnat-udp" in caught.value.hint


def test_ipvsadm_is_called_in_the_document_s_order() -> None:
    scenario, _ = catalogue.load("fullnat")
    assert balancing.commands(scenario.run[0]) == (
        "ipvsadm -C",
        "ipvsadm -A -t 10.0.1.1:80 -s rr",
        "ipvsadm -a -t 10.0.1.1:80 -r 10.0.4.2:8080 -b",
        "ipvsadm -a -t 10.0.1.1:80 -r 10.0.5.2:8080 -b",
        "ipvsadm -P -t 10.0.1.1:80 -z 10.0.3.1",
    )


def test_el6_hosts_get_interface_and_route_files() -> None:
    _, topology = catalogue.load("fullnat")
    director = topology.host["director"]
    files = {
        file.path.rpartition("/")[2]: file.text for file in ifcfg_files(director, director.routes)
    }
    assert "DEVICE=eth0\nBOOTPROTO=none\nONBOOT=yes\n" in files["ifcfg-eth0"]
    assert "IPADDR=10.0.3.1\nPREFIX=24\nIPADDR1=10.0.3.11\n" in files["ifcfg-eth1"]
    assert files["route-eth1"].startswith("10.0.4.0/24 via 10.0.3.254\n10.0.5.0/24 via")
    assert files["route6-eth1"].startswith("fd00:4::/64 via fd00:3::fe\n")
    assert "route-eth0" not in files


def test_routes_come_from_rip_where_there_is_a_ripd_and_from_the_topology_otherwise() -> None:
    scenario, topology = catalogue.load("fullnat")
    static = plan.configuration(scenario, topology, SERIES, "director")
    assert "ip -4 route add 10.0.4.0/24 via 10.0.3.254" in static.commands
    assert not static.wait
    series = msgspec.structs.replace(SERIES, routing="/usr/libexec/frr")
    learnt = plan.configuration(scenario, topology, series, "director")
    assert not any("ip -4 route add" in command for command in learnt.commands)
    config = next(file.text for file in learnt.files if file.path.endswith("ripd.conf"))
    assert " network eth1\n" in config
    assert "eth0" not in config, "the outer link is none of RIP's business"
    assert routing.learnt(topology, "director") == ("10.0.4.0/24", "10.0.5.0/24")
    assert routing.learnt(topology, "web1") == ("10.0.3.0/24", "10.0.5.0/24")
    assert not routing.speaks(topology, "client")
