"""Scenarios are data, and every mistake in them is told with file and line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from builder.commands import judging
from builder.errors import UsageError
from builder.lab import catalogue, mistakes
from builder.lab.plan import balancing, keepalived, routing
from builder.lab.plan import host as plan
from builder.lab.plan.interfaces import ifcfg_files
from builder.lab.scenario import consistency
from tests.support.lab import finished
from tests.support.lab.wire import SERIES
from tests.world import ROOT


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
    ("scenarios/fullnat.toml", '["toa-first", "toa-o', '["toa-frist", "toa-o', "mean 'toa-first'"),
    ("scenarios/fullnat.toml", 'method = "fullnat"', 'method = "fulnat"', "mean 'fullnat'?"),
    ("scenarios/fullnat.toml", 'topology = "seed"', 'topology = "sead"', "no topology 'sead'"),
    ("scenarios/fullnat.toml", 'like = "proof"', 'like = "prof"', "no run 'prof'"),
    ("scenarios/nat.toml", "web2 = [{ to", "web3 = [{ to", "no host 'web3'"),
    ("scenarios/fullnat-udp.toml", 'local = ["10.0.3.1"]', 'local = ["10.9.9.9"]', "10.9.9.9"),
    ("scenarios/fullnat-udp.toml", '"10.0.5.2:5353"]', '"10.0.5.9:5353"]', "10.0.5.9"),
    ("scenarios/toa.toml", 'name = "bare"', 'name = "proof"', "two runs 'proof'"),
    ("scenarios/ops.toml", "send = 100", "hold = 2", "hold is for TCP"),
    ("scenarios/ops.toml", "send = 100", 'options = "01010101"', "options is for TCP"),
    ("scenarios/ops.toml", 'protocol = "udp"', 'protocol = "tcp"', "one-packet scheduling is"),
    ("scenarios/toa-forged.toml", "020405b4fe08", "020405b4fe", "matching regex"),
    ("scenarios/reload.toml", 'beside]]\nhost = "director"', 'beside]]\nhost = "d"', "no host 'd'"),
    ("scenarios/dr.toml", 'summary = "', 'summary = ""  # "', "summary is empty"),
    ("scenarios/dr.toml", 'summary = "', 'summary = " \\t"  # "', "summary is empty"),
    ("scenarios/dr.toml", 'summary = "', 'summary = "\\n', "summary is not one line of text"),
    ("scenarios/dr.toml", 'title = "', 'title = ""  # "', "title is empty"),
    ("topologies/seed.toml", 'summary = "', 'summary = ""  # "', "summary is empty"),
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
    assert balancing.commands(scenario.run[0], SERIES) == (
        "ipvsadm -C",
        "ipvsadm -A -t 10.0.1.1:80 -s rr",
        "ipvsadm -a -t 10.0.1.1:80 -r 10.0.4.2:8080 -b",
        "ipvsadm -a -t 10.0.1.1:80 -r 10.0.5.2:8080 -b",
        "ipvsadm -P -t 10.0.1.1:80 -z 10.0.3.1",
    )


def test_one_packet_scheduling_is_a_switch_of_ipvsadm_and_a_word_of_keepalived() -> None:
    scenario, _ = catalogue.load("ops")
    proof, *_, without = scenario.run
    assert "ipvsadm -A -u 10.0.1.1:53 -s rr -o" in balancing.commands(proof, SERIES)
    assert not any(one.endswith(" -o") for one in balancing.commands(without, SERIES))
    assert "\tprotocol UDP\n\tops\n" in keepalived.configuration(proof)
    assert "ops" not in keepalived.configuration(without)


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


def test_what_is_shipped_has_no_mistake() -> None:
    assert mistakes.check() == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "words"), MISTAKES, ids=[mistake[3] for mistake in MISTAKES]
)
def test_each_mistake_is_found_without_an_image(
    folders: tuple[Path, Path], file: str, old: str, new: str, words: str
) -> None:
    path = folders[0].parent / file
    path.write_text(path.read_text().replace(old, new, 1))
    found = mistakes.check((), *folders)
    assert any(words in str(one) and one.what.startswith(file) for one in found)
    assert len(found) == len({(one.what, one.cause) for one in found}), "each is told once"


def test_all_mistakes_of_all_files_are_told_at_once(folders: tuple[Path, Path]) -> None:
    scenarios, topologies = folders
    for path, changes in {
        scenarios / "fullnat.toml": {
            "count = 4": 'count = "four"',
            'routing = "rip"': "rooting = 1",
        },
        scenarios / "toa.toml": {'name = "bare"': 'name = "proof"', '"toa-first"': '"toa-frist"'},
        scenarios / "nat.toml": {"web2 = [{ to": "web3 = [{ to"},
        topologies / "direct.toml": {'"10.0.3.101/24"': '"10.0.3.300/24"'},
    }.items():
        text = path.read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text)
    (scenarios / "Bad Name.toml").touch()
    (scenarios / "shut.toml").write_text("[[run]")
    (scenarios / "odd.toml").write_text('summary = ""\ntopology = "seed"\nrun = 5\n')
    told = "\n".join(map(str, mistakes.check((), *folders)))
    for words in (
        "Expected `int`, got `str`",
        "unknown field `rooting`",
        "two runs 'proof'",
        "no assertion 'toa-frist'",
        "no host 'web3'",
        "10.0.3.300",
        "this is not a scenario's name",
        "scenarios/shut.toml:1",
        "scenarios/odd.toml:3",
    ):
        assert words in told, told
    assert told.count("no assertion 'toa-frist'") == 1, "where it stands, not where it is inherited"
    for line in told.splitlines():
        assert re.match(r"(scenarios|topologies)/[\w .-]+\.toml:\d+ cannot be used: ", line)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'address = "10.0.1.1"\nport = 80\nc',
            'address = "10.0.1"\nport = 80\nc',
            "not an address",
        ),
        ('"10.0.4.2:8080"', '"10.0.4.2"', "has no port"),
    ],
)
def test_addresses_that_are_none_are_told_before_machines_are_booted(
    folders: tuple[Path, Path], old: str, new: str, words: str
) -> None:
    path = folders[0] / "fullnat.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match=words):
        catalogue.load("fullnat", *folders)


def test_a_scenario_without_a_negative_control_is_told(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "fullnat.toml"
    text = path.read_text()
    assert mistakes.check(("fullnat",), *folders) == ()
    path.write_text(text[: text.index("must_fail")].rpartition("[[run]]")[0])
    (found,) = mistakes.check(("fullnat",), *folders)
    assert "no run is a negative control" in found.cause


def test_a_host_must_have_an_address_to_ask_from() -> None:
    scenario, topology = catalogue.load("fullnat")
    traffic = msgspec.structs.replace(scenario.run[0].traffic[0], address="fd00:9::1")
    run = msgspec.structs.replace(scenario.run[0], traffic=(traffic,))
    client = topology.host["client"]
    cards = (msgspec.structs.replace(client.interface[0], addresses=("10.0.1.2/24",)),)
    hosts = topology.host | {"client": msgspec.structs.replace(client, interface=cards)}
    found = consistency.of_scenario(
        msgspec.structs.replace(scenario, run=(run,)), msgspec.structs.replace(topology, host=hosts)
    )
    words = "client has no address to ask fd00:9::1 from"
    assert ("run[0].traffic[0].address", words, "its addresses: 10.0.1.2") in found


def test_the_command_needs_no_image(tmp_path: Path) -> None:
    place = finished.place(tmp_path)
    assert "scenarios are good" in judging.check(place.project, "lts", ())
    with pytest.raises(UsageError, match="there is no scenario 'fulnat'"):
        judging.check(place.project, "lts", ("fulnat",))
    with pytest.raises(UsageError, match="--check and --keep do not go together"):
        judging.require_one(judge=False, check=True, keep=True, load=False)


def test_one_mistake_alone_is_told_with_its_own_hint(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "fullnat.toml"
    path.write_text(path.read_text().replace('method = "fullnat"\n', "", 1))
    assert mistakes.advice(mistakes.check(("fullnat",), *folders)) == catalogue.KEYS
    shutil.copy(ROOT / "builder/lab/scenarios/fullnat.toml", path)
    text = path.read_text().replace('topology = "seed"', 'topology = "sead"', 1)
    path.write_text(text)
    assert mistakes.advice(mistakes.check(("fullnat",), *folders)).startswith("topologies: ")
    path.write_text(text.replace('routing = "rip"', 'routing = "rap"', 1))
    (folders[0] / "Bad Name.toml").touch()
    assert mistakes.advice(mistakes.check((), *folders)) == catalogue.KEYS


def test_what_a_profile_cannot_do_exists(tmp_path: Path) -> None:
    place = finished.place(tmp_path)
    (place.project.root / "specs").unlink()
    shutil.copytree(ROOT / "specs" / "lts", place.project.specs / "lts")
    path = place.project.specs / "lts" / "profile.toml"
    path.write_text(
        path.read_text().replace("[lab.unsupported]", '[lab.unsupported]\nsynprosy = "x"')
    )
    with pytest.raises(UsageError, match=r"lts/profile\.toml:\d+ .*synprosy.*mean 'synproxy'"):
        judging.check(place.project, "lts", ())
