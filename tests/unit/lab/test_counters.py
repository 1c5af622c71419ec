"""What directors count is read in either form, and what was measured is told as ratios."""

from __future__ import annotations

import msgspec

from builder.lab import catalogue, counters
from builder.lab.load import cost
from builder.lab.load.cost import Cost
from builder.lab.load.measure import Load, LoadReport
from builder.lab.plan import keepalived
from builder.profile.load import load
from tests.support.lab.recordings import TRIED
from tests.world import ROOT

CURRENT = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.1.1:80 rr
  -> 10.0.4.2:8080                FullNat 1      0          2
TCP  10.0.1.1:80
  => 10.0.3.11                                         4            1          0
  => 10.0.3.12                                         3            0          2
"""
CLASSIC = """TCP  10.0.1.1:80 rr
  -> 10.0.4.2:8080                FullNat 1      0          2
VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS
10.0.1.1:80          1
                              10.0.3.1             3          4
                                  CPU0       CPU1
fullnat_add_toa_ok       :        12          3
fullnat_add_toa_fail_len :         0          1
fullnat_toa_scrubbed     :         2          0
defence_ip_frag_drop     :         2          0
"""


def test_todays_ipvsadm_counts_connections_conflicts_and_fails_for_each_address() -> None:
    assert counters.parse(CURRENT) == {"connections": 7, "conflicts": 1, "fails": 2}


def test_the_old_ipvsadm_and_the_old_kernels_statistics_are_read_over_all_processors() -> None:
    assert counters.parse(CLASSIC) == {
        "connections": 4,
        "conflicts": 3,
        "fullnat_add_toa_ok": 15,
        "fullnat_add_toa_fail_len": 1,
        "fullnat_toa_scrubbed": 2,
    }


def test_what_is_counted_since_boot_is_told_for_the_run_alone() -> None:
    after = counters.parse(CLASSIC)
    before = {**after, "fullnat_add_toa_ok": 11}
    grown = counters.grown(before, after)
    assert (grown["fullnat_add_toa_ok"], grown["fullnat_add_toa_fail_len"]) == (4, 0)
    assert grown["connections"] == 4, "those that there are at the end"


def test_a_refusal_of_an_earlier_run_is_none_of_this_one() -> None:
    after = counters.parse(CURRENT)
    assert counters.grown({**after, "fails": 1}, after)["fails"] == 1
    assert counters.grown(after, after) == {"connections": 7, "conflicts": 0, "fails": 0}


def test_a_table_without_counters_has_none() -> None:
    assert counters.parse("IP Virtual Server version 1.2.1 (size=4096)\n") == {}


def test_loads_are_ratios_to_nat() -> None:
    nat = Load("nat", 50.0, 10.0, 5.0, 40.0)
    fullnat = msgspec.structs.replace(nat, method="fullnat", connections_per_second=45.0)
    counted = (Cost("nat", "syn", 9, 7000, 6900, 8000), Cost("fullnat", "syn", 9, 7350, 1, 2))
    report = LoadReport(TRIED, "6.1", "tcg", 10, (nat, fullnat), {}, counted)
    head, first, second, _, told, kinds, *costs = report.lines
    assert "CPU ms/connection" in head
    assert first.split()[:3] == ["nat", "50.00", "(1.00)"]
    assert second.split()[:3] == ["fullnat", "45.00", "(0.90)"]
    assert "instructions" in told and kinds.split() == ["syn"]
    assert [line.split() for line in costs] == [
        ["nat", "7000", "(1.000)"],
        ["fullnat", "7350", "(1.050)"],
    ]


def test_fullnats_variants_are_set_up_by_the_profiles_own_switches() -> None:
    series = load(ROOT / "specs", "lts").lab
    assert series is not None
    known = {one.name: one for one in cost.methods(series, 7)}
    ours = {*("nat", "route", "fullnat", "toa-off", "nat-flood", "flood", "one-port")}
    assert set(known) == ours | {"nat-snat", "synproxy"}
    assert "-m" in known["nat"].setup and "ipvsadm" not in known["route"].setup
    assert "fullnat_toa=0" in known["toa-off"].setup
    assert known["flood"].flood == 1000 and known["flood"].setup == known["one-port"].setup
    assert "lvs-synproxy add" in known["synproxy"].setup and known["synproxy"].way == "proxied"
    assert known["one-port"].fill == 999 and "lport_max=20999" in known["one-port"].setup


def test_what_a_profile_does_not_support_costs_nothing() -> None:
    series = load(ROOT / "specs", "el6").lab
    assert series is not None
    assert not {"nat-snat", "synproxy"} & {one.name for one in cost.methods(series)}


def test_keepalived_gets_a_group_of_local_addresses_and_health_checks() -> None:
    scenario, _ = catalogue.load("fullnat-keepalived")
    text = keepalived.configuration(scenario.run[0])
    assert "local_address_group lab0 {\n\t10.0.3.11\n}\n" in text
    assert "virtual_server 10.0.1.1 80 {\n\tdelay_loop 1\n" in text
    assert "\tlb_kind FNAT\n" in text
    assert "\tladdr_group_name lab0\n" in text
    assert text.count("TCP_CHECK") == 2
    assert text.count("{") == text.count("}")
