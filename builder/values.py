"""Values of files that people write, checked where they are read: each form with its rule.

The types are fields of msgspec structs; ``plainly`` puts msgspec's messages in plain words.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from builder import names

Init = Literal["systemd", "sysv"]
"""What the kernel starts first in a machine that runs the built image."""
_VERSION = r"^[A-Za-z0-9._+~^]+\Z"
_SUFFIX = r"^[A-Za-z0-9._+~^]*\Z"
_AUTHOR = r"^[^<>\x00-\x1f\x7f]*[^<>\x00-\x20\x7f] <[^<>@\s]+@[^<>@\s]+>\Z"
_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*\Z"
_PATH = r"^[^\x00-\x1f\x7f]*\Z"
_BELOW = r"^(?!/)(?!(.*/)?\.{1,2}(/|\Z))[^\x00-\x1f\x7f]+\Z"
_IMAGE = r"^([A-Za-z0-9][A-Za-z0-9.:/_-]*@sha256:[0-9a-f]{64})?\Z"
_FINGERPRINT = r"^[0-9A-F]{40}\Z"
_WORD = r"^[a-z][a-z0-9-]*\Z"
_RULES = {
    _VERSION: "letters, digits and . _ + ~ ^ alone, as rpm takes them: no hyphen",
    _SUFFIX: "letters, digits and . _ + ~ ^ alone, as rpm takes them: no hyphen",
    _AUTHOR: "not of the form NAME <USER@HOST>",
    _LINE: "not one line of text: it is empty, or has a control character",
    _PATH: "not a path: it has a control character",
    _BELOW: "not a path below a folder: it is relative, and has no part '.' or '..'",
    _IMAGE: "not of the form NAME@sha256:DIGEST, with 64 hexadecimal digits",
    _FINGERPRINT: "not a fingerprint, which has 40 hexadecimal digits in capitals",
    _WORD: "not the name of a release: lower-case letters, digits and '-'",
}

Name = Annotated[str, msgspec.Meta(pattern=names.FORM, max_length=names.LONGEST)]
"""A field of a file that people write: msgspec refuses anything but a name."""
OptionalName = Annotated[str, msgspec.Meta(pattern=names.OPTIONAL_FORM, max_length=names.LONGEST)]
"""The same, or an empty text."""
FileName = Annotated[str, msgspec.Meta(pattern=names.FILE_FORM, max_length=200)]
"""One file of a known folder: an archive's name, a package's."""
Version = Annotated[str, msgspec.Meta(pattern=_VERSION, max_length=64)]
"""A version or a release that RPM accepts (rpm-version(7))."""
Suffix = Annotated[str, msgspec.Meta(pattern=_SUFFIX, max_length=64)]
"""The suffix of a version or a release, or an empty text."""
Author = Annotated[str, msgspec.Meta(pattern=_AUTHOR)]
Line = Annotated[str, msgspec.Meta(pattern=_LINE)]
AnyPath = Annotated[str, msgspec.Meta(pattern=_PATH)]
"""A path that a message can show and the kernel can open, or an empty text."""
PathBelow = Annotated[str, msgspec.Meta(pattern=_BELOW, max_length=1024)]
"""A path that cannot lead out of the folder that it is in."""
Image = Annotated[str, msgspec.Meta(pattern=_IMAGE)]
Fingerprint = Annotated[str, msgspec.Meta(pattern=_FINGERPRINT)]
Suite = Annotated[str, msgspec.Meta(pattern=_WORD, max_length=64)]
Amount = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
"""A number of bytes, at least one."""
Moment = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
"""Seconds since 1970, as RPM and file systems keep them."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (*("Jan", "Feb", "Mar", "Apr", "May", "Jun"), *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
_DATE = re.compile(rf"({'|'.join(WEEKDAYS)}) ({'|'.join(MONTHS)}) +([0-9]{{1,2}}) ([0-9]{{4}})")
_YEARS = (1990, 2099)  # rpm's build/parseChangelog.c refuses earlier ones
NETWORK = ("https", "http", "ftp")
PACKAGED = ("apt", "apt-source")
SCHEMES = (*PACKAGED, *NETWORK, "file")
# Debian Policy 5.6.1 and 5.6.12.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?")


def plainly(words: str) -> str:
    """msgspec's message about a value of the wrong form, in plain words."""
    for form, rule in _RULES.items():
        words = words.replace(f"Expected `str` matching regex {form!r}", rule)
    return names.plainly(words)


def date_fault(text: str) -> str:
    """What is wrong with the date of a changelog; empty if nothing is."""
    found = _DATE.fullmatch(text)
    if not found:
        return f"{names.shown(text)} is not a date of the form 'Mon Nov 23 2026'"
    year = int(found[4])
    if not _YEARS[0] <= year <= _YEARS[1]:
        return f"the year {year} is not between {_YEARS[0]} and {_YEARS[1]}"
    try:
        day = datetime.date(year, MONTHS.index(found[2]) + 1, int(found[3]))
    except ValueError:
        return f"{text!r} is not in the calendar"
    weekday = WEEKDAYS[day.weekday()]
    if weekday != found[1]:
        return f"{text!r} is not a {found[1]}: that day is a {weekday}"
    return ""


def url_fault(url: str, schemes: tuple[str, ...] = SCHEMES) -> str:
    """What is wrong with the address of a source; empty if nothing is.

    It quotes nothing that may be a password.
    """
    if not url.isprintable() or " " in url:
        return "the URL has a blank or a control character"
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in schemes:
        shown = names.shown(scheme) if colon else "what has no scheme"
        return f"{shown} is none of {', '.join(schemes)}{names.nearest(scheme, schemes)}"
    if scheme in PACKAGED:
        good = _PACKAGE.fullmatch(rest)
        return "" if good else f"{names.shown(rest)} is not of the form PACKAGE[=VERSION]"
    if scheme == "file":
        return "" if rest.strip("/") else "the URL names no file"
    return _network_fault(url)


def _network_fault(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the URL's host or port cannot be understood"
    if not parts.hostname or not url.partition(":")[2].startswith("//"):
        return "the URL has no host"
    return "the URL's port is 0" if port == 0 else ""
