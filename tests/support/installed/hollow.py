"""RPMs with the scriptlets, owners and modes of the real specs, and nothing compiled in them.

A spec is rendered and parsed as for a build.  Its %prep and %build are left out, and its
%install makes every file that %files names: those of ``specs/<profile>/<component>/`` as they
are installed for real, all others empty.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.base.model import load_base
from builder.host.paths import find_project
from builder.profile import load
from builder.profile.build import resolve
from builder.rpm import spec

SPECS = find_project().specs
BASES = find_project().bases
ROOT = "@BUILDROOT@"
_SECTION = re.compile(
    r"^%(?:prep|build|install|files|pre|post|preun|postun|pretrans|posttrans|description|package"
    r"|changelog)\b",
    re.MULTILINE,
)
_DIRECTIVE = re.compile(r"%(\w+)(?:\([^)]*\))?\s*")
_LEFT_OUT = re.compile(r"^(?:Source|Patch|BuildRequires|BuildRoot)\S*:.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """One section of a spec: the line that begins it, and what is below."""

    head: str
    body: str

    @property
    def kind(self) -> str:
        return self.head[1:].split()[0]


def rendered(profile: str, name: str, release: str) -> str:
    """The real template, as the builder renders it, but for the release."""
    loaded = load.load(SPECS, profile)
    build = resolve(loaded, loaded.default_flavour, load_base(BASES / loaded.base))
    part = build.parts[name]
    own = sorted(path.name for path in (SPECS / profile / name).iterdir())
    return spec.render(
        SPECS / profile,
        spec.SpecContext(
            part=msgspec.structs.replace(
                part, release=release, settings=part.settings | {"linking": "static"}
            ),
            releases={
                one.package: f"{one.version}-{one.release}" for one in loaded.component.values()
            },
            flavour=loaded.default_flavour,
            sources=("main.tar", "kernel.config", *own),
            patches=(),
            changelog=loaded.changelog,
        ),
    )


def sections(parsed: str) -> list[Section]:
    """A parsed spec, taken apart; the first section has the tags and no head."""
    starts = [0, *(found.start() for found in _SECTION.finditer(parsed))]
    pieces = [parsed[a:b] for a, b in zip(starts, [*starts[1:], len(parsed)], strict=True)]
    first, *rest = pieces
    return [Section("%tags", first), *(Section(*piece.split("\n", 1)) for piece in rest)]


def _made(line: str) -> str:
    """The shell's line that makes what a line of %files names, if nothing else did."""
    kinds = {found[1] for found in _DIRECTIVE.finditer(line)} - {"attr", "config"}
    place = _DIRECTIVE.sub("", line).strip().replace("*", "x")
    if not place.startswith("/") or kinds & {"doc", "license", "defattr"} or "/share/" in place:
        return f"mkdir -p {ROOT}{place}\n" if place.startswith("/") else ""
    if "dir" in kinds:
        return f"mkdir -p {ROOT}{place}\n"
    return f"mkdir -p $(dirname {ROOT}{place}); [ -e {ROOT}{place} ] || : >{ROOT}{place}\n"


def _install(real: str, files: list[Section]) -> Section:
    ours = [
        line
        for line in real.splitlines()
        if line.startswith("install -d ") or (line.startswith("install ") and "/SOURCES/" in line)
    ]
    made = [_made(line) for one in files for line in one.body.splitlines()]
    return Section("%install", "\n".join([*ours, ""]) + "".join(made))


def hollow(parsed: str) -> str:
    """The spec without its programs."""
    found = sections(parsed)
    files = [one for one in found if one.kind == "files"]
    (real,) = [one.body for one in found if one.kind == "install"]
    made = [
        Section("", _LEFT_OUT.sub("", found[0].body)),
        *(one for one in found[1:] if one.kind not in ("prep", "build", "install", "changelog")),
        _install(real, files),
    ]
    return "".join(f"{one.head}\n{one.body}" for one in made).replace(ROOT, "%{buildroot}")


@dataclass(frozen=True)
class Workshop:
    """Where RPMs are made, each release in a folder of ``top``."""

    top: Path

    def build(
        self, profile: str, name: str, release: str, edits: dict[str, tuple[str, str]] | None = None
    ) -> Path:
        """The RPM of a component.

        ``edits``: by the name of one of our files, or of the spec, a text in it and what
        stands there instead in this release.
        """
        # What has been built stays, for tests that come later.
        top = self.top / f"{profile}-{name}-{release}{'-edited' if edits else ''}"
        sources = top / "SOURCES"
        shutil.copytree(SPECS / profile / name, sources, dirs_exist_ok=True)
        path = top / f"{name}.spec"
        path.write_text(rendered(profile, name, release))
        for file, (old, new) in (edits or {}).items():
            edited = path if file == path.name else sources / file
            text = edited.read_text()
            assert old in text, (file, old)
            edited.write_text(text.replace(old, new))
        defines = ("--define", f"_topdir {top}", "--define", f"buildroot {ROOT}")
        parsed = _run("rpmspec", *defines, "--parse", str(path))
        path.write_text(hollow(parsed))
        _run("rpmbuild", "-bb", "--nodeps", "--quiet", *defines[:2], str(path))
        main = load.load(SPECS, profile).component[name]
        (made,) = top.glob(f"RPMS/*/{main.package}-{main.version}-{release}.*.rpm")
        return made


def _run(*words: str) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout
