"""A scenario is recorded from power-on to its seal, and a host that fails is named.

Stand-ins for QEMU are the hosts: they take what a guest's agent is told, and answer as one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from builder.errors import SmokeError
from builder.lab import catalogue, experiment, folder, laboratory
from builder.lab.hosts.network import Image, Images, Network, Pace
from builder.lab.laboratory import Bench, LabTrial
from builder.lab.recording import Span
from builder.lab.scenario.model import Command, Kill
from builder.lab.verdict import FILE, load
from builder.vm.hardware import Accelerator
from tests.support.lab.recordings import TRIED
from tests.support.lab.wire import SERIES
from tests.support.vm import standin
from tests.support.vm.standin import StandIn

PACE = Pace(60.0, 60.0, 60.0)


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setattr(experiment, "QUIET_SECONDS", 0.1)
    return standin.install(tmp_path / "bin", monkeypatch)


@pytest.fixture
def trial(tmp_path: Path) -> LabTrial:
    """The proof of the scenario fullnat with its five hosts, on an image of a few bytes."""
    place = tmp_path / "image"
    place.mkdir()
    for name in ("disk", "kernel", "initrd"):
        (place / name).write_bytes(b"few bytes")
    image = Image(place / "disk", place / "kernel", place / "initrd", "quiet")
    scenario, topology = catalogue.load("fullnat")
    scenario = msgspec.structs.replace(scenario, run=scenario.run[:1], routing="static")
    way = Accelerator("tcg", "the tests say so", 0.0)
    shells, lab = tmp_path / "shells", tmp_path / "lab"
    bench = Bench(TRIED, None, SERIES, Images(image, image), way, PACE, lab, shells)
    return LabTrial(scenario, topology, bench, lambda _: None)


def small(trial: LabTrial, *, boot: float = 60.0) -> LabTrial:
    """With two hosts alone: a client, and a director without its inner side."""
    hosts = trial.topology.host
    director = hosts["director"]
    director = msgspec.structs.replace(director, interface=director.interface[:1], routes=())
    links = {"outer": trial.topology.link["outer"]}
    both = {"client": hosts["client"], "director": director}
    topology = msgspec.structs.replace(trial.topology, link=links, host=both)
    bench = replace(trial.bench, pace=Pace(boot, 60.0, 60.0))
    return replace(trial, topology=topology, bench=bench)


def test_a_recording_has_all_that_the_hosts_said(
    qemu: StandIn, trial: LabTrial, tmp_path: Path
) -> None:
    """One of them loses its power in the middle of the traffic."""
    qemu.be_hosts("if ' ask ' in script: machine.capture(bytes(5000)); time.sleep(0.5)")
    run = msgspec.structs.replace(
        trial.scenario.run[0],
        kill=Kill("web1", 0.0),
        before=(Command("router", "tc qdisc show"),),
        during=(Command("client", "ip route"),),
    )
    scenario = msgspec.structs.replace(trial.scenario, run=(run,))
    said: list[str] = []
    lingered: list[Network] = []

    async def linger(net: Network) -> None:
        assert (tmp_path / "recording" / folder.SEAL).is_file(), "it is written already"
        assert (await net.hosts["web1"].machine.ended).detail == "exit status -9"
        assert not net.hosts["web2"].machine.ended.done()
        lingered.append(net)

    target = tmp_path / "recording"
    target.mkdir()
    laboratory.record(replace(trial, scenario=scenario, say=said.append), target, linger)
    made = folder.read(target)
    (done,) = made.runs
    assert [(one.exchange, one.ok) for one in done.answers] == [
        (f"proof/{number}", True) for number in range(1, 5)
    ]
    assert done.log == "IPVS: one\n"
    assert done.counters == {"connections": 4, "conflicts": 0, "fails": 0}
    assert done.spans["client-outer"] == Span(0, 1)
    assert made.kernel_release == "6.1.1-1.lvs.vm.x86_64"
    assert {one.host for one in made.hosts} == set(trial.topology.host)
    assert (target / "consoles" / "web1.log").read_text() == "Linux\n"
    assert len(lingered) == 1
    assert not trial.bench.shells.exists()
    assert said[0] == "lab fullnat: powering on client, director, router, web1, web2 (TCG)"
    assert said[-1].startswith("lab fullnat: proof done after ")


def test_hosts_on_a_link_are_wired_to_each_other(
    qemu: StandIn, trial: LabTrial, tmp_path: Path
) -> None:
    qemu.be_hosts()
    laboratory.record(small(trial), new(tmp_path))
    cards = {name: qemu.words(name) for name in ("client", "director")}
    assert all(sum(word.startswith("socket,id=nic") for word in one) == 1 for one in cards.values())
    assert any("lab.host=director" in word for word in cards["director"])
    assert (trial.bench.folder / "initrd0.img").read_bytes().startswith(b"few bytes")


def new(root: Path) -> Path:
    target = root / "recording"
    target.mkdir()
    return target


@pytest.mark.parametrize(
    ("answer", "what", "cause"),
    [
        (
            "if machine.name == 'client' and 'ip' in script: status, said = 1, 'no such device'",
            r"client could not be configured \(status 1\)",
            "no such device\nthe script was:\nset -e",
        ),
        (
            "if ' ask ' in script: machine.console('kernel BUG'); machine.leave(0)",
            "client went away: powered off before a verdict",
            "its console's last lines:\nLinux\nkernel BUG",
        ),
        ("if ' ask ' in script: said = 'what?'", "client does not say what came of", "what?"),
    ],
)
def test_a_host_that_fails_is_named_and_what_there_is_is_kept(
    qemu: StandIn, trial: LabTrial, tmp_path: Path, answer: str, what: str, cause: str
) -> None:
    qemu.be_hosts(answer)
    target = new(tmp_path)
    with pytest.raises(SmokeError, match=what) as caught:
        laboratory.record(small(trial), target)
    assert cause in caught.value.cause
    assert caught.value.log in (None, target / "consoles" / "client.log")
    verdict = load(target / FILE)
    assert (verdict.outcome, verdict.complaint) == ("fail", str(caught.value))
    assert sorted(path.name for path in (target / "consoles").glob("*.log")) == [
        "client.log",
        "director.log",
    ]
    assert (target / "captures" / "client-outer.pcap").is_file()
    assert not (target / folder.SEAL).exists()


@pytest.mark.parametrize(
    ("part", "boot", "what"),
    [
        ("machine.console('no root')", 0.2, "did not boot"),
        ("machine.report(b'ready 6.1 0\\n' * 2 + b'done 9 0 x\\nodd\\n')", 60.0, "capture of"),
    ],
)
def test_hosts_that_do_not_come_up_are_told(
    qemu: StandIn, trial: LabTrial, tmp_path: Path, part: str, boot: float, what: str
) -> None:
    qemu.play(part)
    with pytest.raises(SmokeError, match=what):
        laboratory.record(small(trial, boot=boot), new(tmp_path))


def test_what_the_series_cannot_do_is_passed_over_without_a_machine(
    trial: LabTrial, tmp_path: Path
) -> None:
    series = msgspec.structs.replace(SERIES, unsupported={"fullnat": "it has none"})
    target = new(tmp_path)
    laboratory.pass_over(trial.scenario, trial.topology, TRIED, series, target)
    made = folder.read(target)
    assert (made.unsupported, made.runs) == ("it has none", ())
