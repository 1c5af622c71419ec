"""``keepalived --config-test``: what a configuration of FULLNAT may look like, and its errors.

No kernel is asked.  What keepalived does with it is in the gate's case ``keepalived-fullnat``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.installed import keepalived as program
from tests.support.installed.keepalived import Program
from tests.world import ROOT

pytestmark = pytest.mark.registry
PAGE = ROOT / "docs/how-to/operate.md"
SAMPLE = "doc/samples/keepalived.conf.fullnat"
GROUP = "local_address_group lan {\n 10.0.0.1\n}\n"
SERVICE = """\
virtual_server 192.0.2.1 80 {
 lb_algo rr
 lb_kind FNAT
 laddr_group_name lan
 protocol TCP
 real_server 203.0.113.10 8080 {
  TCP_CHECK {
  }
 }
}
"""
NO_GROUP = SERVICE.replace(" laddr_group_name lan\n", "")
IGNORED = "Virtual server [192.0.2.1]:tcp:80: {} - ignoring virtual server"
MANY = "local_address_group lan {\n 10.0.0.0/20\n}\n"
SYNPROXY = SERVICE.replace(" protocol TCP\n", " protocol TCP\n syn_proxy\n")
SYNPROXY_NAT = SYNPROXY.replace("FNAT\n laddr_group_name lan", "NAT")
TCP = "[192.0.2.1]:tcp:80"
PAST = "of DR or TUN, which answer past the director"


@pytest.fixture(scope="module")
def keepalived(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return program.build(tmp_path_factory.mktemp("keepalived"), pipeline_cache)


def vips(*lines: str) -> str:
    """A virtual server with SYNPROXY, of a group of services."""
    entries = "".join(f" {line}\n" for line in lines)
    used = SYNPROXY.replace("192.0.2.1 80", "group vips")
    return f"{GROUP}virtual_server_group vips {{\n{entries}}}\n{used}"


def group(*lines: str) -> str:
    return "".join(("local_address_group lan {\n", *(f" {line}\n" for line in lines), "}\n"))


def told(keepalived: Program, text: str) -> list[str]:
    """What is wrong, without places."""
    ended = keepalived.test(text)
    lines = [
        line.partition("Line ")[2].partition(") ")[2] or line for line in ended.stderr.splitlines()
    ]
    assert (ended.returncode != 0) == bool(lines), ended
    return lines


@pytest.mark.parametrize(
    "lines",
    [
        ("10.0.0.1",),
        ("10.0.0.1-3", "10.0.0.250-10.0.1.5", "10.0.2.8/29", "10.0.3.1-10.0.3.1"),
        ("10.0.0.0/20",),
        ("fd00::1", "10.0.0.1", "fd00:1::8-b", "fd00:2::/120", "fd00:3::ffff-fd00:3::1:2"),
    ],
)
def test_addresses_ranges_and_prefixes(keepalived: Program, lines: tuple[str, ...]) -> None:
    assert told(keepalived, group(*lines) + SERVICE) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SERVICE + GROUP, id="group-behind"),
        pytest.param(SERVICE.replace("lb_kind", "lvs_method") + GROUP, id="lvs_method"),
        pytest.param(GROUP.replace(" {", "\n{") + SERVICE, id="brace-below"),
        pytest.param(GROUP + SERVICE.replace("TCP\n", "UDP\n"), id="udp"),
        pytest.param(
            GROUP + SERVICE.replace("192.0.2.1 80", "fwmark 3").replace(" protocol TCP\n", ""),
            id="fwmark",
        ),
        pytest.param(
            GROUP + SERVICE.replace("lb_kind FNAT", "bindto 10.0.0.9\n lb_kind FNAT"), id="bindto"
        ),
        pytest.param(
            GROUP
            + SERVICE.replace(" lb_kind FNAT\n", " lb_kind NAT\n").replace(
                "8080 {", "8080 {\n  lvs_method FNAT"
            ),
            id="server-alone",
        ),
        pytest.param(
            GROUP
            + "virtual_server_group vips {\n 192.0.2.1-9 80\n fwmark 5\n}\n"
            + SERVICE.replace("192.0.2.1 80", "group vips"),
            id="virtual-server-group",
        ),
        pytest.param(GROUP + SYNPROXY, id="synproxy"),
        pytest.param(SYNPROXY_NAT, id="synproxy-nat"),
        pytest.param(vips("192.0.2.1-9 80", "192.0.2.64/26 443"), id="synproxy-group"),
    ],
)
def test_what_is_accepted(keepalived: Program, text: str) -> None:
    assert told(keepalived, text) == []


def test_the_sample_is_accepted(keepalived: Program) -> None:
    assert told(keepalived, (keepalived.tree / SAMPLE).read_text()) == []


def test_the_example_for_operators_is_accepted(keepalived: Program) -> None:
    shown = re.search(r"^(local_address_group .*?)^END$", PAGE.read_text(), re.M | re.S)
    assert shown
    assert told(keepalived, shown[1]) == []


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0",
        "10.0.0.300",
        "10.0.0.5-4",
        "10.0.0.9-10.0.0.8",
        "10.0.0.1/24",
        "10.0.0.1-",
        "10.0.0.1-2x",
        "10.0.0.1-256",
        "10.0.0.1-10.1",
        "10.0.0.1-fd00::1",
        "fd00::1/64",
        "fd00::1-10000",
        "lan",
        "10.0.0.1x",
    ],
)
def test_what_is_no_address_is_told(keepalived: Program, line: str) -> None:
    assert told(keepalived, group(line, "10.9.9.9") + SERVICE) == [
        f"(lan): invalid local address '{line}' - ignoring"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "0.0.0.1",
        "127.0.0.1",
        "224.0.0.1",
        "223.255.255.0-224.0.0.5",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
    ],
)
def test_addresses_that_the_kernel_would_refuse_are_told(keepalived: Program, line: str) -> None:
    wanted = f"(lan): '{line}' is not an address that can be local - ignoring"
    assert told(keepalived, group(line, "10.9.9.9") + SERVICE) == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            NO_GROUP,
            [IGNORED.format("FNAT needs local addresses, but there is no laddr_group_name")],
        ),
        (SERVICE, [IGNORED.format("local_address_group lan is not configured")]),
        (
            group("fd00::1") + SERVICE,
            [IGNORED.format("local_address_group lan has no IPv4 address")],
        ),
        (
            GROUP + SERVICE.replace("TCP\n", "SCTP\n"),
            [IGNORED.format("FNAT is for TCP and UDP only").replace(":tcp:", ":sctp:")],
        ),
        (GROUP * 2 + SERVICE, ["local_address_group lan already specified - ignoring second"]),
        (
            GROUP.replace("lan ", "") + GROUP + SERVICE,
            ["local_address_group without a name - ignoring"],
        ),
        (
            group("10.0.0.1-3", "10.0.0.2") + SERVICE,
            ["(lan): local address 10.0.0.2 is duplicated - ignoring"],
        ),
        (
            MANY.replace("}", " 10.1.0.1\n}") + SERVICE,
            ["(lan): more than 4096 local addresses at '10.1.0.1' - ignoring"],
        ),
        (
            GROUP.replace("lan", "other").replace(" 10.0.0.1\n", "") + GROUP + SERVICE,
            ["(other): local address group has no addresses - removing"],
        ),
        (
            GROUP + SERVICE.replace("name lan", "name"),
            [
                "laddr_group_name missing or extra parameters",
                IGNORED.format("FNAT needs local addresses, but there is no laddr_group_name"),
            ],
        ),
        (
            GROUP + SERVICE.replace("FNAT", "NAT"),
            [
                "Warning - virtual server [192.0.2.1]:tcp:80:"
                " laddr_group_name lan without a server of FNAT - ignoring"
            ],
        ),
        (
            GROUP + SERVICE.replace("lb_kind FNAT", "bindto 10.0.0.1\n lb_kind FNAT"),
            [
                "Warning - virtual server [192.0.2.1]:tcp:80: health checks from local address"
                " 10.0.0.1 can meet ports of connections"
            ],
        ),
        (
            GROUP + SERVICE.replace("lb_kind FNAT", "bindto fd00::1\n lb_kind FNAT"),
            [
                "Virtual server [192.0.2.1]:tcp:80: bindto address fd00::1"
                " does not match address family of a health check - ignoring"
            ],
        ),
        (
            GROUP + SERVICE.replace("lb_kind FNAT", "bindto lan\n lb_kind FNAT"),
            ["virtual server bindto address missing or invalid - ignoring"],
        ),
        (
            GROUP + SYNPROXY.replace("syn_proxy", "syn_proxy on"),
            ["syn_proxy has no parameters - ignoring"],
        ),
    ],
)
def test_what_cannot_work_is_told(keepalived: Program, text: str, wanted: list[str]) -> None:
    assert told(keepalived, text) == wanted


@pytest.mark.parametrize(
    ("text", "service", "why"),
    [
        (GROUP + SYNPROXY.replace("TCP\n", "UDP\n"), TCP.replace("tcp", "udp"), "is for TCP only"),
        (SYNPROXY_NAT.replace("TCP\n", "SCTP\n"), TCP.replace("tcp", "sctp"), "is for TCP only"),
        (
            SYNPROXY_NAT.replace("NAT", "DR").replace("8080", "80"),
            TCP,
            f"does not work with servers {PAST}",
        ),
        (
            SYNPROXY_NAT.replace("8080 {", "80 {\n  lvs_method TUN"),
            TCP,
            f"does not work with servers {PAST}",
        ),
        (
            SYNPROXY_NAT.replace(
                "syn_proxy", "sorry_server 203.0.113.9 80\n sorry_server_lvs_method DR\n syn_proxy"
            ),
            TCP,
            f"does not work with a sorry server {PAST.replace('answer', 'answers')}",
        ),
        (
            SYNPROXY_NAT.replace("192.0.2.1 80", "fwmark 3").replace(" protocol TCP\n", ""),
            "FWM 3",
            "needs an address and a port",
        ),
        (
            SYNPROXY_NAT.replace("1 80 {", "1 0 {\n persistence_timeout 9"),
            TCP.replace("80", "0"),
            "needs an address and a port",
        ),
        (vips("192.0.2.1 80", "fwmark 5"), "[vips]:0", "needs an address and a port"),
        (vips("192.0.2.1 80", "10.0.0.0/20 80"), "[vips]:0", "is for at most 4096 addresses"),
        (
            vips("fd00::1:0-fd00::2:1 80")
            .replace("10.0.0.1", "fd00:9::1")
            .replace("203.0.113.10", "fd00:8::1"),
            "[vips]:0",
            "is for at most 4096 addresses",
        ),
        (
            "instance one\n" + SYNPROXY_NAT,
            TCP,
            "does not work with instance, net_namespace and net_namespace_ipvs",
        ),
    ],
)
def test_syn_proxy_that_cannot_work_is_told(
    keepalived: Program, text: str, service: str, why: str
) -> None:
    wanted = f"Virtual server {service}: syn_proxy {why} - ignoring syn_proxy"
    assert told(keepalived, text) == [wanted]
