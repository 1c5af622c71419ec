"""A private configuration for the host's apt client: its sources, our state.

The host's lists, cache and status are never touched, and its sources are only read: fresh machines
have no deb-src entries, and an ordinary user may not add any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.host import process

FILE = "apt.conf"
_LINE = re.compile(r"^(deb|deb-src)(\s+\[[^\]]*\])?\s+(\S.*)$")
_FIELD = re.compile(r"^([A-Za-z0-9-]+)\s*:\s*(.*)$")


def host_sources() -> str:
    """The host's apt sources in one text, each for binary and for source packages."""
    asked = process.run(
        [
            "apt-config",
            "shell",
            "LIST",
            "Dir::Etc::sourcelist/f",
            "PARTS",
            "Dir::Etc::sourceparts/d",
        ]
    )
    found = dict(re.findall(r"^(LIST|PARTS)='([^']*)'$", asked.text, re.MULTILINE))
    parts = Path(found.get("PARTS", "/etc/apt/sources.list.d"))
    lists = [Path(found.get("LIST", "/etc/apt/sources.list")), *sorted(parts.glob("*.list"))]
    stanzas: list[str] = []
    for path in lists:
        stanzas += from_lines(_read(path))
    for path in sorted(parts.glob("*.sources")):
        stanzas += _from_stanzas(_read(path))
    return "\n".join(dict.fromkeys(stanzas))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # a host without that file, or a file that we may not read
        return ""


def from_lines(text: str) -> Iterator[str]:
    """One-line entries (sources.list(5)) as deb822 stanzas."""
    for line in text.splitlines():
        match = _LINE.match(line.partition("#")[0].strip())
        if match is None or match[3].startswith("cdrom:"):
            continue
        uri, suite, *components = match[3].split()
        fields = {"Types": "deb deb-src", "URIs": uri, "Suites": suite}
        if components:
            fields["Components"] = " ".join(components)
        fields.update(_options(match[2] or ""))
        yield "".join(f"{key}: {value}\n" for key, value in fields.items())


def _options(text: str) -> Iterable[tuple[str, str]]:
    """Options of a one-line entry under the names that deb822 has for them."""
    names = {"arch": "Architectures", "lang": "Languages", "target": "Targets"}
    for key, value in re.findall(r"([\w-]+)=(\S+?)(?=[\s\]])", text):
        yield names.get(key, key.title()), value.replace(",", " ")


def _from_stanzas(text: str) -> Iterable[str]:
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if line and not line.startswith("#")]
        fields = {m[1].lower(): m[2].strip().lower() for m in map(_FIELD.match, lines) if m}
        if "uris" not in fields or fields.get("enabled") in ("no", "false", "off", "0"):
            continue
        if fields["uris"].startswith("cdrom:"):
            continue
        rest = _without_types(lines)
        yield "\n".join(["Types: deb deb-src", *rest]) + "\n"


def _without_types(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.lower().startswith("types")]


def write_configuration(root: Path, sources: str) -> Path:
    """Lay out the private folders below ``root`` and return the configuration file's path."""
    for name in ("state/lists/partial", "cache/archives/partial", "sources.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "state/status").touch()
    (root / "sources.d/host.sources").write_text(sources, encoding="utf-8")
    path = root / FILE
    path.write_text(
        "\n".join(
            [
                f'Dir::State "{root}/state";',
                f'Dir::State::lists "{root}/state/lists";',
                f'Dir::State::status "{root}/state/status";',
                f'Dir::Cache "{root}/cache";',
                f'Dir::Etc::sourcelist "{root}/sources.list";',
                f'Dir::Etc::sourceparts "{root}/sources.d";',
                # The cache may be below a home that apt's own user cannot enter.
                'APT::Sandbox::User "root";',
                'Acquire::Languages "none";',
                'Acquire::GzipIndexes "true";',
                'Acquire::Retries "3";',
                # The host's hooks before and after updates are not for ours.
                "#clear APT::Update::Pre-Invoke;",
                "#clear APT::Update::Post-Invoke;",
                "#clear APT::Update::Post-Invoke-Success;",
                "",
            ]
        ),
        encoding="utf-8",
    )
    return path
