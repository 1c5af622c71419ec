"""A page as a browser and a screen reader take it: elements, headings, links and colours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "img", "br", "rect", "line", "circle", "path", "input", "link"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    within: tuple[Element, ...]
    text: str = ""

    def inside(self, tag: str) -> bool:
        return any(one.tag == tag for one in self.within)


@dataclass
class Page(HTMLParser):
    """Raises ValueError for a tag that closes what is not open."""

    source: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}, tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1].tag != tag:
            raise ValueError(f"</{tag}> closes {self._open[-1].tag if self._open else 'nothing'}")
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [one for one in self.elements if one.tag in tags]


def faults(source: str) -> list[str]:
    """What keeps people with a keyboard, a screen reader or a narrow screen out of a page."""
    page = Page(source)
    judges = (_alone, _headings, _links, _tables, _pictures, _scrolling)
    return [fault for judge in judges for fault in judge(page)]


def _alone(page: Page) -> Iterator[str]:
    if page.all("script", "link", "iframe", "object") or "@import" in page.source:
        yield "it needs more than itself"
    if len(page.all("main")) != 1 or not page.all("html")[0].attributes.get("lang"):
        yield "it has no main part or no language"
    for one in page.elements:
        yield from (f"{one.tag} has {name}" for name in one.attributes if name.startswith("on"))


def _headings(page: Page) -> Iterator[str]:
    headings = page.all("h1", "h2", "h3", "h4")
    levels = [int(one.tag[1]) for one in headings]
    if levels[:1] != [1] or levels.count(1) != 1:
        yield f"its headings do not begin with the only h1: {levels}"
    yield from (f"h{b} follows h{a}" for a, b in itertools.pairwise(levels) if b > a + 1)
    yield from (f"{one.tag} is empty" for one in headings if not one.text.strip())


def _links(page: Page) -> Iterator[str]:
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    yield from (f"id {one} is there twice" for one in set(ids) if ids.count(one) > 1)
    for one in page.all("a"):
        target = one.attributes.get("href", "")
        if target.startswith("#") and target[1:] not in ids:
            yield f"{target} leads nowhere"
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
            yield f"{target} leads out of the page's folder"
        if not one.text.strip():
            yield f"a link to {target} without words"


def _tables(page: Page) -> Iterator[str]:
    for one in page.all("th"):
        if one.attributes.get("scope") not in ("col", "row") or not one.text.strip():
            yield f"a header of a table without scope or words: {one.text!r}"


def _pictures(page: Page) -> Iterator[str]:
    for one in page.all("svg"):
        named = one.attributes.get("role") == "img" and one.attributes.get("aria-label")
        if not named and one.attributes.get("aria-hidden") != "true":
            yield "a picture without a name"


def _scrolling(page: Page) -> Iterator[str]:
    for one in page.all("table", "svg"):
        scrolls = any(outer.attributes.get("tabindex") == "0" for outer in one.within)
        fits = {"slim", "strip"} & set(one.attributes.get("class", "").split())
        if not scrolls and not fits:
            yield f"a {one.tag} that neither scrolls nor fits"
    for one in page.elements:
        if one.attributes.get("role") == "region" and not one.attributes.get("aria-label"):
            yield "a region without a name"


def palettes(source: str) -> list[dict[str, str]]:
    """The colours of a page by day, in the dark and on paper."""
    found = [
        dict(re.findall(r"--([a-z]+):\s*(#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root\s*{([^}]*)}", source)
    ]
    return [one for one in found if one]


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances (WCAG 2.2, 1.4.3)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(2 * one for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
