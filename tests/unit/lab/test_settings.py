"""The lab's directors run with the settings that their package ships, and not with the lab's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from builder.lab import catalogue, experiment
from builder.lab.plan import host as plan
from builder.lab.plan import settings
from builder.lab.scenario.shipped import available
from builder.lab.series import Fullnat
from builder.profile import load as profiles
from tests.support.lab.wire import SERIES
from tests.world import ROOT

PROFILES = ("lts", "el6")


def series_of(profile: str) -> Fullnat:
    found = profiles.load(ROOT / "specs", profile).lab
    assert found is not None
    return found


def shipped(profile: str) -> dict[str, str]:
    """Keys and values of the file that the package installs."""
    path = ROOT / "specs" / profile / "lvs-director" / Path(series_of(profile).settings).name
    return dict(re.findall(r"^-?([\w.]+) *= *(.*)$", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("profile", PROFILES)
def test_captures_are_judged_by_what_is_shipped(profile: str) -> None:
    series, values = series_of(profile), shipped(profile)
    assert tuple(values[name] for name in series.port_switches) == tuple(
        map(str, series.local_ports)
    )
    assert {values[name] for name in series.toa_switches} == {"1"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", available())
def test_every_director_gets_the_package_s_settings_and_they_are_checked(
    profile: str, name: str
) -> None:
    series = series_of(profile)
    scenario, topology = catalogue.load(name)
    for host, machine in topology.host.items():
        commands = plan.configuration(scenario, topology, series, host).commands
        director = machine.role == "director"
        assert (series.prepare[0] in commands) == director
        assert any(series.settings in one for one in commands) == director
        forwards = any("/net/ipv4/ip_forward" in one for one in commands)
        assert forwards == (machine.forward and not director)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_run_sets_what_it_changes_and_no_other_value(profile: str) -> None:
    series = series_of(profile)
    scenario, _ = catalogue.load("fullnat")
    proof = plan.director_commands(scenario.run[0], series)
    told = [one for one in proof if one.startswith("sysctl")]
    assert len(told) == len(series.toa_switches) + 3
    shipped = [one for one in told if not one.endswith("=65535")]
    assert len(shipped) == len(told) - 1, "the last port is set out of the way first"
    assert all(series.settings in one for one in shipped), "whatever a run before set"
    off = msgspec.structs.replace(scenario.run[0], toa=False, local_ports=(6000, 6003))
    told = [one for one in plan.director_commands(off, series) if one.startswith("sysctl")]
    assert {one.rpartition("=")[2] for one in told} == {"0", "65535", "6000", "6003"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_range_of_ports_follows_any_other_and_is_never_the_wrong_way_round(profile: str) -> None:
    series = series_of(profile)
    scenario, _ = catalogue.load("fullnat")
    low, high = series.port_switches
    now = {low: 5000, high: 65000}
    for ports in ((6000, 6003), (6004, 6007), (100, 200), (60000, 60000)):
        run = msgspec.structs.replace(scenario.run[0], local_ports=ports)
        for one in plan.director_commands(run, series):
            name, _, value = one.removeprefix("sysctl -q -w ").partition("=")
            if name in now:
                now[name] = int(value)
                assert now[low] <= now[high], one
        assert (now[low], now[high]) == ports


def checked(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What the check says on this host of settings in a file."""
    file = tmp_path / "80.conf"
    file.write_text(text)
    series = msgspec.structs.replace(SERIES, settings=str(file))
    (script,) = settings.check(series)
    return subprocess.run(
        ("sh", "-c", f"set -e\n{script}\necho all"), capture_output=True, text=True, check=False
    )


def test_what_is_in_effect_passes_the_check(tmp_path: Path) -> None:
    kernel = Path("/proc/sys/kernel")
    text = "# a comment = 1\n\n; another = 2\n-kernel.no_such_key = 5\n"
    text += f"kernel.pid_max = {(kernel / 'pid_max').read_text()}"
    text += f"-kernel.printk={' '.join((kernel / 'printk').read_text().split())}\n"
    ended = checked(tmp_path, text)
    assert (ended.returncode, ended.stdout) == (0, "all\n"), ended


def test_what_is_not_in_effect_is_named(tmp_path: Path) -> None:
    now = Path("/proc/sys/kernel/pid_max").read_text().strip()
    ended = checked(tmp_path, "-kernel.no_such_key = 5\nkernel.pid_max = 17\n")
    assert ended.returncode == 1
    assert ended.stdout == f"/proc/sys/kernel/pid_max is {now}; as shipped it is 17\n"


def test_the_shipped_value_of_a_key_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "80.conf"
    file.write_text("# vs.toa = 3\n-vs.toa = 1\nvs.toa_more = 2\nvsxtoa = 4\n")
    word = settings.shipped("vs.toa", msgspec.structs.replace(SERIES, settings=str(file)))
    ended = subprocess.run(("sh", "-c", f"echo {word}"), capture_output=True, text=True, check=True)
    assert ended.stdout == "1\n"


def test_a_series_without_a_settings_file_has_the_lab_s_own() -> None:
    scenario, topology = catalogue.load("fullnat")
    commands = plan.configuration(scenario, topology, SERIES, "director").commands
    assert any("ip_forward" in one for one in commands)
    assert settings.check(SERIES) == ()


def test_the_exhausted_ports_are_let_go_by_the_exchanges_that_hold_them() -> None:
    """Their timeout is long until the fifth is refused; a datagram of each shortens it."""
    scenario, topology = catalogue.load("port-exhaustion")
    fits, exhausted, recovered, free = scenario.run
    held = experiment.exchanges_of(fits, topology)
    (again,) = (one.run for one in recovered.before if one.host == "client")
    script = again.replace("/run/lab/traffic", "echo")
    ended = subprocess.run(("sh", "-c", script), capture_output=True, text=True, check=True)
    words = [line.split()[-1] for line in ended.stdout.splitlines()]
    assert words == [experiment.exchange_word(one) for one in held]
    assert "sleep" not in "".join(one.run for one in (*exhausted.before, *free.before))
    assert not set(range(*fits.local_ports or ())) & set(range(*free.local_ports or ()))


def test_synproxy_is_the_series_program_or_ipvsadm_s_switch() -> None:
    scenario, _ = catalogue.load("synproxy-options")
    proof = scenario.run[0]
    plain = msgspec.structs.replace(proof, synproxy=None, synproxy_options=())
    without = msgspec.structs.replace(plain, synproxy=False)
    lts, el6 = (
        [
            [one for one in plan.director_commands(run, series_of(name)) if "syn" in one]
            for run in (proof, without, plain)
        ]
        for name in PROFILES
    )
    add = "lvs-synproxy add 10.0.1.1:80 '[fd00:1::1]:80' --wscale 6"
    assert lts == [["lvs-synproxy del --all", add], ["lvs-synproxy del --all"], []]
    assert el6 == [[], [], []]
    switched = plan.director_commands(proof, series_of("el6"))
    assert sum(one.endswith(" -j enable") for one in switched) == len(proof.service)
