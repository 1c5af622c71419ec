"""The vault: where the RPMs of a retired distribution are, and which of them are needed.

dnf resolves a list of packages and downloads them, with none of this host's configuration.
``signed`` verifies the RPMs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from builder.base import snapshot
from builder.base.method import Patience
from builder.base.model import Yum
from builder.errors import (
    BuilderError,
    BuildError,
    DiskFull,
    SourceUnreachable,
)
from builder.host.process import require_tool, run
from builder.host.space import tells_full
from builder.shown import shown, without_secrets

VARIABLE = "LVS_VAULT"
SHOWN_LINES = 6
_UNREACHABLE = re.compile(r"Failed to download|Cannot download|Status code|Curl error|No more mirr")
_UNKNOWN = re.compile(r"No match for argument|Unable to find a match|Problem:|nothing provides")

Probe = Callable[[str], str]


def mirrors(settings: Yum) -> tuple[str, ...]:
    """The mirrors to try: the snapshot's, or the one that LVS_VAULT names, or the base's."""
    if settings.snapshot:
        return settings.snapshot
    named = os.environ.get(VARIABLE)
    return (named.rstrip("/"),) if named else settings.mirrors


def urls(settings: Yum, mirror: str) -> dict[str, str]:
    """The address of each repository, by its name."""
    top = f"{mirror.rstrip('/')}/{settings.release}"
    return {name: f"{top}/{name}/{settings.arch}" for name in settings.repositories}


def choose(settings: Yum, probe: Probe) -> str:
    """The first mirror that has the metadata of all repositories.

    ``probe`` requests an address, and raises OSError if it is not served.  Raises
    SourceUnreachable with each failed address and its answer.
    """
    answers = []
    for mirror in mirrors(settings):
        refused = None
        for url in urls(settings, mirror).values():
            asked = f"{url}/repodata/repomd.xml"
            try:
                probe(asked)
            except OSError as error:
                refused = f"{without_secrets(asked)}: {error}"
                break
        if refused is None:
            return mirror
        answers.append(refused)
    raise SourceUnreachable(
        f"the packages of base {settings.name} are not available",
        "\n".join(answers) or "it names no mirror",
        _advice(settings),
    )


def _advice(settings: Yum) -> str:
    if settings.snapshot:
        return snapshot.OTHER
    return (
        f"set {VARIABLE} to a mirror of the vault (http, https or file; below it "
        f"{settings.release}/{settings.repositories[0]}/{settings.arch}/repodata), "
        "or choose another base with --base"
    )


def write_config(settings: Yum, mirror: str, folder: Path, patience: Patience) -> Path:
    """Write dnf's configuration for these repositories and nothing else; return its path.

    dnf gives up on a mirror that sends less than ``minrate`` bytes a second for ``timeout``
    seconds (dnf.conf(5)).
    """
    lines = [
        "[main]",
        f"cachedir={folder}/cache",
        f"logdir={folder}/log",
        f"persistdir={folder}/state",
        "reposdir=/nonexistent",
        "varsdir=/nonexistent",
        "pluginpath=/nonexistent",
        "install_weak_deps=False",
        "keepcache=True",
        # If a package exists for both word lengths, the 32-bit one is never wanted.
        "exclude=*.i?86",
        # Signatures are checked later, and more strictly: dnf accepts any key that it knows.
        "gpgcheck=False",
        "retries=4",
        f"timeout={patience.stalled}",
        "minrate=1000",
    ]
    for name, url in urls(settings, mirror).items():
        lines += [f"[{name}]", f"name={name}", f"baseurl={url}"]
    path = folder / "dnf.conf"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def bring(
    settings: Yum,
    config: Path,
    packages: Iterable[str],
    target: Path,
    log: Path,
    *,
    patience: Patience,
) -> tuple[Path, ...]:
    """Download the packages and their dependencies into ``target``; return the RPMs.

    Raises SourceUnreachable, DiskFull, EnvironmentFailure (time is up) or BuildError (a package
    that is in no repository).
    """
    target.mkdir(exist_ok=True)
    program = require_tool("dnf")
    finished = run(
        [
            program,
            f"--config={config}",
            f"--installroot={config.parent / 'empty'}",
            f"--releasever={settings.release.partition('.')[0]}",
            f"--forcearch={settings.arch}",
            "--assumeyes",
            "--downloadonly",
            f"--downloaddir={target}",
            "install",
            *packages,
        ],
        env={"LC_ALL": "C.UTF-8"},
        timeout=patience.total,
        own_namespaces=True,
    )
    words = shown(finished.text + finished.stderr.decode(errors="replace"))
    with log.open("a", encoding="utf-8") as handle:
        handle.write(words)
    if not finished.ok:
        raise _failure(settings, words, log)
    return tuple(sorted(target.glob("*.rpm")))


def _failure(settings: Yum, words: str, log: Path) -> BuilderError:
    lines = [line for line in words.splitlines() if line.strip()]
    what = f"the packages of base {settings.name} could not be downloaded"
    if tells_full(words):
        told = "\n".join(line for line in lines if tells_full(line))
        return DiskFull(what, told, "free space on the cache's disk", log=log)
    told = "\n".join([line for line in lines if _UNKNOWN.search(line)][:SHOWN_LINES])
    if told:
        hint = f"fix the package lists of base {settings.name}, or use a whole mirror"
        return BuildError(what, told, hint, log=log)
    tail = "\n".join(lines[-SHOWN_LINES:])
    if _UNREACHABLE.search(words):
        hint = f"try again, or set {VARIABLE} to another mirror"
        hint = snapshot.OTHER if settings.snapshot else hint
        return SourceUnreachable(what, tail, hint, log=log)
    return BuildError(what, tail, "see the log", log=log)
