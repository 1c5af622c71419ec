"""The lab's page: what failed is drawn where it went wrong, and everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from builder.lab import catalogue, judging, laboratory
from builder.lab.capture import tcpoption
from builder.lab.capture.packet import ACK, PSH, SYN, Packet
from builder.lab.capture.sums import RIGHT
from builder.lab.judging import Judged
from builder.lab.oracle.evidence import Evidence, Exchange
from builder.lab.page import html, topology
from builder.lab.page.complaint import complaints
from builder.lab.page.ladder import CHARACTER, Ladder, ladder, loose
from builder.lab.page.rewriting import rewritings
from builder.lab.page.segment import plain
from builder.lab.scenario.model import Run, Traffic
from tests.support.lab import recordings
from tests.support.lab import wire as hand
from tests.support.lab.wire import Wire
from tests.support.report.reading import Page, faults

HEX = re.compile(r"\b\d+:[0-9a-f]{8,}\b")


def without_toa(wire: Wire) -> None:
    """What a director sends that has forgotten the option."""
    for link in ("inner", "web1"):
        tcp = wire.tcp(link, 0)
        tcp.opts = tcp.opts[8:]
        tcp.off = 5 + len(tcp.opts) // 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def green(folder: Path) -> Judged:
    return judging.judge(recordings.make(folder / "green"))


@pytest.fixture(scope="module")
def red(folder: Path) -> Judged:
    return judging.judge(recordings.make(folder / "red", spoil=without_toa))


def test_a_failed_assertion_is_linked_from_the_verdict_and_drawn(red: Judged, folder: Path) -> None:
    source = html.render(red, folder / "red")
    page = Page(source)
    links = [one.attributes["href"] for one in page.all("a") if one.text.startswith("toa-first")]
    (drawn,) = (one for one in page.elements if one.attributes.get("id") == links[0][1:])
    assert drawn.text == "proof: toa-first does not hold"
    assert "<b>Expected:</b> TOA 10.0.1.2:50026 (kind 254) as the first option" in source
    assert "router-inner #1: 10.0.3.1:5014 &gt; 10.0.4.2:8080 [S]" in source
    assert source.count('<g class="wrong">') == 1
    assert not HEX.search(source)


def test_the_marked_arrow_is_the_very_packet(red: Judged) -> None:
    (complaint,) = complaints(red)
    (fault,) = complaint.faults
    assert fault.ladder is not None
    (arrow,) = (one for one in fault.ladder.arrows if one.wrong)
    assert (arrow.where, arrow.sender, arrow.receiver) == ("router-inner #1", "director", "router")
    assert "TOA" not in plain(arrow.detail)


def test_what_went_well_has_no_complaint(green: Judged, folder: Path) -> None:
    assert complaints(green) == ()
    source = html.render(green, folder / "green")
    assert "Failed assertions" not in source
    assert 'class="wrong"' not in source


def test_a_packet_of_no_exchange_is_drawn_alone(green: Judged) -> None:
    evidence = green.evidence[0]
    stray = msgspec.structs.replace(evidence.captures["router-inner"][0], source="10.0.1.2")
    drawn = loose(evidence, (stray,))
    assert [(one.sender, one.receiver, one.wrong) for one in drawn.arrows] == [
        ("director", "router", True)
    ]


def test_a_packet_of_whom_nobody_can_be_told_is_in_no_ladder(green: Judged) -> None:
    evidence = green.evidence[0]
    there = evidence.captures["router-inner"][0]
    unread = msgspec.structs.replace(there, place="nobody-outer", source="", destination="")
    lost = msgspec.structs.replace(unread, place="nobody-nowhere")
    assert loose(evidence, ()).arrows == loose(evidence, (lost,)).arrows == ()
    assert loose(evidence, (lost,)).width > 0
    assert len(loose(evidence, (unread,)).arrows) == 1, "a link of two has one way for each side"


def test_a_packet_that_only_the_inner_links_have_is_in_the_ladder(green: Judged) -> None:
    evidence = green.evidence[0]
    connection = evidence.connections[0]
    inner = connection.legs["inner"]
    doubled = msgspec.structs.replace(inner.packets[0], frame=999, sequence=77)
    leg = type(inner)(inner.link, inner.ends, (*inner.packets[:1], doubled, *inner.packets[1:]))
    spoilt = type(connection)(connection.exchange, {**connection.legs, "inner": leg})
    drawn = ladder(evidence, spoilt, frozenset({(doubled.place, 999)}))
    wheres = [one.where for one in drawn.arrows]
    assert f"{doubled.place} #999" in wheres
    assert wheres.index(f"{doubled.place} #999") == 3, "behind the SYN on its three links"


def of_hub(link: str, number: int, way: tuple[str, str], ends: str, **more: object) -> Packet:
    """A packet of the topology ``direct``, from card to card."""
    drawn = catalogue.load("dr")[1]
    source, target = (end.rpartition(":") for end in ends.split(" "))
    witness = {"outer": "client", "inner": "router"}[link]
    return Packet(
        "tcp",
        int(source[2]),
        int(target[2]),
        **more,  # type: ignore[arg-type]
        place=f"{witness}-{link}",
        frame=number,
        time=float(number),
        source=source[0],
        destination=target[0],
        ttl=64,
        length=60,
        sums=RIGHT,
        mac=drawn.mac(way[0], link),
        to=drawn.mac(way[1], link),
    )


def direct() -> Evidence:
    """Direct routing on two hubs: answers go past the director."""
    scenario, drawn = catalogue.load("dr")
    there, back = "10.0.1.2:50026 10.0.1.1:80", "10.0.1.1:80 10.0.1.2:50026"
    asked = {"flags": ACK | PSH, "sequence": 2, "acknowledgement": 9}
    asked["payload"] = b"POST /proof/1 HTTP/1.0\r\n"  # type: ignore[assignment]
    answered = {"flags": SYN | ACK, "sequence": 8, "acknowledgement": 2}
    steps = (
        (there, {"flags": SYN, "sequence": 1}, ("client", "director"), ("director", "web1")),
        (back, answered, ("router", "client"), ("web1", "router")),
        (there, asked, ("client", "director"), ("director", "web1")),
    )
    captures: dict[str, list[Packet]] = {"client-outer": [], "router-inner": []}
    for number, (ends, more, outside, inside) in enumerate(steps, 1):
        captures["client-outer"].append(of_hub("outer", number, outside, ends, **more))
        captures["router-inner"].append(of_hub("inner", number, inside, ends, **more))
    run = Run("proof", "", service=scenario.run[0].service)
    exchange = Exchange("proof/1", Traffic("10.0.1.1", 80), 50026, "10.0.1.2")
    kept = {place: tuple(packets) for place, packets in captures.items()}
    return Evidence(run, hand.SERIES, drawn, (exchange,), kept, kept, (), {})


def test_a_hub_has_a_ladder_that_shows_who_sent_what_to_whom() -> None:
    evidence = direct()
    drawn = ladder(evidence, evidence.connections[0])
    assert [name for name, _ in drawn.lifelines] == ["client", "director", "router", "web1"]
    assert [(one.sender, one.receiver) for one in drawn.arrows] == [
        ("client", "director"),
        ("director", "web1"),
        ("web1", "router"),
        ("router", "client"),
        ("client", "director"),
        ("director", "web1"),
    ]
    assert fitting(drawn)


def fitting(drawn: Ladder) -> bool:
    """Whether every label lies between the lifelines that its arrow joins."""
    labels = ((one, max(map(len, told(one.parts, one.detail)))) for one in drawn.arrows)
    return all(length * CHARACTER < abs(one.x2 - one.x1) for one, length in labels)


def told(*labels: tuple[object, ...]) -> Iterator[str]:
    for parts in labels:
        yield "".join(str(getattr(part, "text", "")) for part in parts)


def test_labels_of_arrows_are_on_no_lifeline(green: Judged) -> None:
    evidence = green.evidence[0]
    assert fitting(ladder(evidence, evidence.connections[0]))


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("name", catalogue.available())
def test_names_of_links_are_on_no_wire_and_no_host(name: str, upright: bool) -> None:
    scenario, drawn = catalogue.load(name)
    found = topology.draw(drawn, scenario, upright=upright)
    for label in found.labels:
        assert not any(wire.crosses(label.area) for wire in found.wires), label
        assert not any(box.area.meets(label.area) for box in found.boxes), label
    areas = [label.area for label in found.labels]
    assert not any(one.meets(two) for one in areas for two in areas if one is not two)


WIDEST, PHONE = 1088, 358
"""Room for a drawing, in CSS pixels: on a page of any width above 1120, and of 390."""


@pytest.mark.parametrize("name", catalogue.available())
def test_a_topology_fits_a_wide_and_a_narrow_screen(name: str) -> None:
    scenario, drawn = catalogue.load(name)
    assert topology.draw(drawn, scenario).width <= WIDEST
    assert topology.draw(drawn, scenario, upright=True).width <= PHONE


def test_a_ladder_takes_the_room_that_each_link_needs(green: Judged) -> None:
    """Numbers as real kernels choose them: the last of four hosts is on the page, too."""
    evidence = green.evidence[0]
    connection = evidence.connections[0]
    legs = {
        name: replace(leg, packets=tuple(map(numbered, leg.packets)))
        for name, leg in connection.legs.items()
    }
    drawn = ladder(evidence, replace(connection, legs=legs))
    assert len(drawn.lifelines) == 4
    longest = "[S] seq 4294967295 mss 1460 TOA 10.0.1.2:50026"
    assert longest in {plain(one.detail) for one in drawn.arrows}
    assert drawn.width <= WIDEST
    assert fitting(drawn)


def numbered(packet: Packet) -> Packet:
    return msgspec.structs.replace(packet, sequence=2**32 - 1)


def test_fullnat_and_nat_are_side_by_side(green: Judged) -> None:
    fullnat, nat = rewritings(green.evidence)
    assert (fullnat.method, fullnat.captured) == ("FULLNAT", "as captured in proof")
    assert fullnat.request[1].added == "TOA 10.0.1.2:50026"
    ends = (fullnat.request[1].source, fullnat.request[1].destination)
    assert [(one.text, one.changed) for one in ends] == [
        ("10.0.3.1:5014", True),
        ("10.0.4.2:8080", True),
    ]
    assert (nat.method, nat.captured) == ("NAT", "as it would be")
    ends = (nat.request[1].source, nat.request[1].destination)
    assert [(one.text, one.changed) for one in ends] == [
        ("10.0.1.2:50026", False),
        ("10.0.4.2:8080", True),
    ]
    (_, _, dr) = rewritings((direct(),))
    assert (dr.method, dr.request[1].source.changed) == ("DR", False)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (2, b"\x05\xb4", "mss 1460"),
        (2, b"\x05", "option 2 of 1 byte"),
        (3, b"\x07", "wscale 7"),
        (4, b"", "sackOK"),
        (5, bytes(7) + b"\x05" + bytes(3) + b"\x09" + bytes(3) + b"\x0c", "sack 0-5 9-12"),
        (8, bytes(7) + b"\x05", "TS 0 ecr 5"),
        (254, b"\xc3\x6a\x0a\x00\x01\x02", "TOA 10.0.1.2:50026 (kind 254)"),
        (253, b"\x00\x50" + bytes(15) + b"\x01", "TOA [::1]:80 (kind 253)"),
        (254, b"\xc3\x6a\x0a", "option 254 of 3 bytes"),
        (30, bytes(4), "mptcp of 4 bytes"),
    ],
)
def test_an_option_is_told_in_words(kind: int, value: bytes, words: str) -> None:
    assert tcpoption.words(kind, value) == words


def test_people_with_keyboards_and_screen_readers_can_use_it(
    green: Judged, red: Judged, folder: Path
) -> None:
    assert faults(html.render(green, folder / "green")) == []
    assert faults(html.render(red, folder / "red")) == []


def test_a_guests_words_are_no_markup(folder: Path) -> None:
    said = "<script>alert(1)</script>"
    recording = recordings.make(folder / "hostile", log=f"IPVS: no local address {said}\n")
    (recording / "consoles" / "web1.log").write_text(f"{said}\n")
    recordings.reseal(recording)
    source = html.render(judging.judge(recording), recording)
    assert "<script" not in source
    assert source.count("&lt;script&gt;") == 2


def test_what_was_not_tried_has_a_page_all_the_same(folder: Path) -> None:
    judged = judging.judge(recordings.make(folder / "lacking", unsupported={"toa-first": "no TOA"}))
    assert faults(html.render(judged, folder / "lacking")) == []


def test_a_scenario_that_the_profile_leaves_out_has_a_page_with_the_reason(folder: Path) -> None:
    scenario, drawn = catalogue.load("idle-expiry")
    series = msgspec.structs.replace(hand.SERIES, unsupported={"idle-expiry": "see `expiry`"})
    target = folder / "left-out"
    target.mkdir()
    laboratory.pass_over(scenario, drawn, recordings.TRIED, series, target)
    source = html.render(judging.judge(target), target)
    assert "Left out: see <code>expiry</code>" in source
    assert "from power-on" not in source, "nothing was powered on"
    assert faults(source) == []


def test_the_page_says_what_a_series_is(green: Judged, folder: Path) -> None:
    page = Page(html.render(green, folder / "green"))
    (told,) = (one for one in page.all("p") if one.text.startswith("Series: "))
    assert "patches" in told.text
    assert any("the series" in one.text for one in page.all("td"))
