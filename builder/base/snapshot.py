"""A snapshot mirror: it keeps the packages of one day, so that a base can be made again later.

It is named in ``base.toml`` (``snapshot``) or in the environment, and used instead of the host's
apt sources or the vault's mirrors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from builder import names, values
from builder.source import aptconf

VARIABLE = "LVS_SNAPSHOT"
KEY = "snapshot"
OTHER = f"name another snapshot mirror: the key {KEY} of base.toml, or {VARIABLE}=..."
_FORM = "deb [signed-by=KEYRING] URL SUITE COMPONENT..."
_FIELD = re.compile(r"^([A-Za-z-]+): (.*)$", re.MULTILINE)
# Without trusted and allow-insecure, with which apt would verify nothing.
_OPTIONS = frozenset({"Signed-By", "Architectures"})
_OWN = frozenset({"Types", "URIs", "Suites", "Components"})


def from_environment() -> tuple[str, ...]:
    """The entries in the environment, separated by ``;`` or line feeds."""
    words = re.split(r"[;\n]", os.environ.get(VARIABLE, ""))
    return tuple(word.strip() for word in words if word.strip())


def suites(release: str) -> frozenset[str]:
    """The suites that belong to a release of Debian."""
    return frozenset({release, f"{release}-updates", f"{release}-security", f"{release}/updates"})


def url_fault(url: str) -> str:
    """What is wrong with a snapshot of the vault; empty if nothing is."""
    return values.url_fault(url, (*values.NETWORK, "file"))


def entry_fault(entry: str, release: str) -> str:
    """What is wrong with an entry for apt (sources.list(5)); empty if nothing is."""
    fields = _fields(entry)
    if fields is None or "Components" not in fields:
        return f"an entry is not of the form {_FORM!r} (sources.list(5))"
    refused = sorted(fields.keys() - _OPTIONS - _OWN)
    if refused:
        known = ", ".join(sorted(name.lower() for name in _OPTIONS))
        return f"an entry has the option {names.shown(refused[0].lower())}, and may have: {known}"
    if fields["Suites"] not in suites(release):
        return f"{names.shown(fields['Suites'])} is not a suite of {release}"
    return url_fault(fields["URIs"])


def _fields(entry: str) -> dict[str, str] | None:
    stanzas = list(aptconf.from_lines(entry)) if entry.startswith("deb ") else []
    return dict(_FIELD.findall(stanzas[0])) if len(stanzas) == 1 else None


def apt_sources(entries: Sequence[str]) -> str:
    """The entries in deb822 form.

    A snapshot's index has always expired (Valid-Until, Debian's RepositoryFormat), so that check
    is off.
    """
    stanzas = (stanza for entry in entries for stanza in aptconf.from_lines(entry))
    return "\n".join(
        stanza.replace("Types: deb deb-src", "Types: deb") + "Check-Valid-Until: no\n"
        for stanza in stanzas
    )
