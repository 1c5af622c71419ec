"""The lab on the image that was built: FULLNAT is proven, and every mishap ends in words."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from builder.console import Console
from builder.errors import SmokeError
from builder.lab import judging, laboratory
from builder.lab.catalogue import TOPOLOGIES, load, load_topology
from builder.lab.hosts.network import Images, Pace
from builder.lab.laboratory import Bench, LabTrial
from builder.lab.scenario.model import Command, Scenario, Topology
from builder.lab.verdict import load as read_verdict
from builder.place import Place
from builder.report import record as records
from builder.stages import lab as stages
from builder.stages.request import Request
from builder.stages.session import open_session
from tests.whole.conftest import Built

pytestmark = [pytest.mark.timeout(3000)]
PROVEN = ("fullnat", "nat", "nat-snat", "synproxy", "synproxy-options")
INVOKE = (sys.executable, "-m", "invoke", "lab", "--profile", "lts", "--flavour", "vm")


def machines() -> set[int]:
    """Process ids of QEMU guests that belong to a lab."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"qemu-system" in words and b"org.lvs-fullnat.lab" in words:
                found.add(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = machines()
    yield
    until = time.monotonic() + 5
    while machines() - before and time.monotonic() < until:
        time.sleep(0.1)
    assert machines() <= before


def environment(built: Built) -> dict[str, str]:
    return {**os.environ, "LVS_BUILDER_CACHE": str(built.cache.root)}


@pytest.fixture(scope="module")
def proven(built: Built) -> subprocess.CompletedProcess[str]:
    """Scenarios side by side, by the command itself."""
    return subprocess.run(
        (*INVOKE, "--scenario", ",".join(PROVEN)),
        cwd=built.project.root,
        env=environment(built),
        capture_output=True,
        text=True,
        check=False,
        timeout=700,
    )


def test_fullnat_is_proven_beside_nat_and_conntrack(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    assert proven.returncode == 0, proven.stderr[-4000:]
    for name in PROVEN:
        verdict = read_verdict(built.artifacts / "lab" / name / "verdict.json")
        assert verdict.outcome == "pass"
        assert verdict.kernel_release.endswith(".lvs.vm.x86_64")
        assert verdict.controls, "a verdict without a negative control proves little"
        for run in verdict.controls:
            assert any(row.outcome == "fail" and row.faults for row in run.rows), run.name
        for run in verdict.proofs:
            assert {row.outcome for row in run.rows} == {"pass"}, run.name
        assert verdict.memory_mib <= 4096
    fullnat = read_verdict(built.artifacts / "lab" / "fullnat" / "verdict.json")
    assert {run.name for run in fullnat.controls} == {"toa-off", "no-local-address", "plain-nat"}
    print(f"fullnat with its controls: {fullnat.seconds} s, {fullnat.timing}")


def test_the_terminal_shows_the_document_s_four_views(
    proven: subprocess.CompletedProcess[str],
) -> None:
    views = re.findall(r"\((\d)\) .*? +(\S+) > (\S+) +(\S+) #\d+", proven.stderr)
    numbers, sources, targets, captures = zip(*views[:4], strict=True)
    assert numbers == ("1", "2", "3", "4")
    assert (targets[0], sources[3]) == ("10.0.1.1:80", "10.0.1.1:80")
    assert sources[1].startswith("10.0.3.1:")
    assert sources[1] == targets[2]
    assert targets[1] == sources[2] == "10.0.4.2:8080"
    assert captures[0] == "client-outer"


def test_the_report_needs_no_network(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    page = (built.artifacts / "lab" / "fullnat" / "report.html").read_text()
    assert not re.search(r"(src|href)=(?!\"#)", page)
    assert "<script" not in page
    for words in ("Topology", "The four views", "packet by packet", "ipvsadm -P -t 10.0.1.1:80"):
        assert words in page
    assert page.count("negative control") >= 3


@pytest.mark.parametrize("name", PROVEN)
def test_what_is_published_is_the_recording_and_is_judged_again(
    built: Built, proven: subprocess.CompletedProcess[str], name: str
) -> None:
    folder = built.artifacts / "lab" / name
    assert judging.judge(folder).verdict == read_verdict(folder / "verdict.json")


def test_the_verdicts_are_on_record_as_those_of_this_image(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    made = records.decode((built.artifacts / "build.json").read_bytes())
    outputs = {entry.path: entry.sha256 for entry in made.outputs}
    known = {entry.scenario: entry for entry in made.lab}
    for name in PROVEN:
        assert known[name].current
        assert known[name].image == outputs["vm/director.qcow2"]
        assert known[name].kernel_rpms, "the kernel that was tried is named by its RPM"


def test_captures_name_hosts_and_links(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    folder = built.artifacts / "lab" / "fullnat" / "captures"
    assert len(list(folder.glob("*.pcapng"))) == 8
    data = (folder / "director-inner.pcapng").read_bytes()
    assert b"director:eth1" in data
    for name in (b"vip\0", b"local-10.0.3.1\0", b"web1\0"):
        assert name in data


# Mishaps: two hosts are enough.


@pytest.fixture
def pair(built: Built, tmp_path: Path) -> tuple[Scenario, Topology, Bench]:
    """A scenario with a client and a director, and what it is tried on."""
    scenario, _ = load("fullnat")
    path = TOPOLOGIES / "seed.toml"
    topology = load_topology(TOPOLOGIES, "seed", path, "")
    hosts = {name: topology.host[name] for name in ("client", "director")}
    hosts = {
        name: msgspec.structs.replace(host, interface=host.interface[:1], routes=())
        for name, host in hosts.items()
    }
    topology = msgspec.structs.replace(topology, host=hosts, link={"outer": topology.link["outer"]})
    scenario = msgspec.structs.replace(scenario, routing="static", run=scenario.run[:1])
    with open_session(Request("lts", "vm"), Place(built.project, built.cache, Console())) as opened:
        done = opened.settle("vm")
        benches = stages.Benches(opened.setting, lambda setting: opened.stages)
        bench = benches.bench(done["vm"], done, tmp_path, tmp_path)
    return scenario, topology, replace(bench, pace=Pace(90.0, 60.0, 20.0))


def record(scenario: Scenario, topology: Topology, bench: Bench) -> None:
    """Record without a word, beside what the machines leave."""
    target = bench.folder.with_name("recording")
    target.mkdir()
    laboratory.record(LabTrial(scenario, topology, bench, lambda _: None), target)


def test_a_host_that_does_not_boot_is_named_with_its_console(
    pair: tuple[Scenario, Topology, Bench], tmp_path: Path
) -> None:
    scenario, topology, bench = pair
    good = bench.images.director
    line = good.command_line.replace("root=", "root=UUID=none root_was=")
    bad = replace(good, command_line=f"{line} loglevel=7")
    bench = replace(bench, images=Images(bad, good), pace=Pace(6.0, 6.0, 6.0))
    with pytest.raises(SmokeError) as caught:
        record(scenario, topology, bench)
    assert "did not boot" in caught.value.what
    assert "within 6 s" in caught.value.cause
    assert caught.value.log is not None and caught.value.log.is_file()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo c >/proc/sysrq-trigger; sleep 20", "kernel panic"),
        ("busybox poweroff -f; sleep 20", "powered off before a verdict"),
        ("sleep 600", "did not finish in time"),
        ("echo over and out; exit 3", "could not be configured (status 3)"),
    ],
)
def test_a_host_that_dies_or_hangs_in_mid_test_is_named(
    pair: tuple[Scenario, Topology, Bench], command: str, words: str
) -> None:
    scenario, topology, bench = pair
    bench = replace(bench, pace=Pace(90.0, 8.0, 8.0))
    run = msgspec.structs.replace(scenario.run[0], before=(Command("client", command),))
    with pytest.raises(SmokeError) as caught:
        record(msgspec.structs.replace(scenario, run=(run,)), topology, bench)
    assert caught.value.what.startswith("client ")
    assert words in caught.value.what
    assert caught.value.exit_code == 8


def test_a_lab_that_has_proven_a_scenario_does_not_try_it_again(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    ended = subprocess.run(
        (*INVOKE, "--scenario", "nat"),
        cwd=built.project.root,
        env=environment(built),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    assert "lab nat: nothing has changed" in ended.stderr
    assert "powering on" not in ended.stderr


@contextlib.contextmanager
def started(built: Built, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        (*INVOKE, "--scenario", "nat", "--again", *more),
        cwd=built.project.root,
        env=environment(built),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    heard = ""
    for line in process.stderr:
        heard += line
        if words in line:
            return heard
    raise AssertionError(f"{words!r} was never said:\n{heard}")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_a_lab_that_is_stopped_leaves_no_machine(
    built: Built, number: signal.Signals, status: int
) -> None:
    with started(built) as process:
        read_until(process, "powering on")
        until = time.monotonic() + 20
        while not machines() and time.monotonic() < until:
            time.sleep(0.1)
        assert machines()
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == status


def test_a_lab_that_is_kept_can_be_entered_and_makes_another_wait(built: Built) -> None:
    with started(built, "--keep") as process:
        heard = read_until(process, "client-outer, director-outer")
        assert "lab nat: pass" in heard
        assert "tail -c +1 -f" in heard
        with started(built) as waiting:
            said = read_until(waiting, "waiting for")
            assert f"process {process.pid}" in said
            waiting.send_signal(signal.SIGINT)
            waiting.communicate(timeout=30)
        entered = _enter(built, "web1", "uname -n; echo $((6 * 7))")
        assert re.search(r"web1\r?\n42", entered)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
    gone = subprocess.run(
        (sys.executable, "-m", "invoke", "lab-console", "web1", "--profile", "lts"),
        cwd=built.project.root,
        env=environment(built),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert gone.returncode == 2
    assert "no lab host 'web1' of profile lts runs" in gone.stderr


def _enter(built: Built, host: str, typed: str) -> str:
    """What a terminal shows that enters a host, types a line, and leaves."""
    with subprocess.Popen(
        (sys.executable, "-m", "invoke", "lab-console", host, "--profile", "lts"),
        cwd=built.project.root,
        env=environment(built),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(typed.encode() + b"\n")
        process.stdin.flush()
        shown = b""
        until = time.monotonic() + 20
        while b"42" not in shown.partition(typed.encode())[2] and time.monotonic() < until:
            shown += os.read(process.stdout.fileno(), 4096)
        process.stdin.write(b"\x1d")
        process.stdin.flush()
        assert process.wait(10) == 0
    return shown.decode()


def test_verdicts_are_kept_as_json_for_other_programs(
    built: Built, proven: subprocess.CompletedProcess[str]
) -> None:
    text = (built.artifacts / "lab" / "fullnat" / "verdict.json").read_text()
    kept = json.loads(text)
    row = next(row for row in kept["runs"][1]["rows"] if row["name"] == "toa-first")
    assert row["outcome"] == "fail"
    packet = row["faults"][0]["packets"][0]
    assert packet["capture"] == "router-inner" and packet["frame"] > 0
