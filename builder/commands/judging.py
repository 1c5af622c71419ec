"""``invoke lab --judge`` and ``--check``: they need neither an image nor QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builder import text as texts
from builder import toml
from builder.commands.lab import not_proven
from builder.console import Console
from builder.errors import UsageError
from builder.host.paths import Project
from builder.lab import catalogue, judging, mistakes
from builder.lab import verdict as verdicts
from builder.lab.oracle.rows import ROWS
from builder.lab.page import lines, proof
from builder.lab.page.html import PAGE
from builder.lab.scenario import shipped
from builder.lab.series import Fullnat
from builder.names import nearest
from builder.profile import load as profiles


def require_one(**asked: bool) -> None:
    """Raises UsageError if more than one of these options was given."""
    given = [f"--{name}" for name, wanted in asked.items() if wanted]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} do not go together",
            "each is another thing to do",
            f"give one of them: invoke lab {given[0]}",
        )


def judge(named: str, console: Console) -> None:
    """Judge the recording in the folder ``named``, and put verdict and page beside it.

    Raises SmokeError if it proves nothing, UsageError and VerificationError if it is not a
    complete recording.
    """
    folder = Path(named)
    judged = judging.judge(folder)
    verdict = judged.verdict
    for line in lines.lines(verdict):
        console.say(line)
    try:
        proof.write(judged, folder)
    except OSError as error:
        console.say(f"{verdicts.FILE} and {PAGE} are not written: {error}")
    if verdict.outcome == "fail":
        raise not_proven({verdict.scenario: verdict}, folder / PAGE, folder / verdicts.FILE)


def check(project: Project, profile: str, names: tuple[str, ...]) -> str:
    """Check scenarios (all if none is named), topologies, and the profile's settings for them.

    Returns a line to print.  Raises UsageError that lists every mistake with file and line.
    """
    loaded = profiles.load(project.specs, profile)
    faults = mistakes.check(names)
    if loaded.lab is not None:
        path = project.specs / loaded.name / profiles.FILE_NAME
        faults += tuple(_unknown(path, loaded.lab))
    if faults:
        raise UsageError(
            "the lab's files have a mistake" if len(faults) == 1 else f"{len(faults)} mistakes",
            "\n".join(f"{fault.what}: {fault.cause}" for fault in faults),
            mistakes.advice(faults),
        )
    count = len(names or shipped.available())
    good = "1 scenario is good" if count == 1 else f"{count} scenarios are good"
    return f"{good}; the oracle knows {len(ROWS)} assertions"


def _unknown(path: Path, series: Fullnat) -> Iterator[UsageError]:
    """An error for each unknown name in ``[lab.unsupported]``."""
    text = texts.read(path)
    methods, _ = catalogue.load("methods", shipped.METHODS)
    known = {*shipped.available(), *ROWS, *(run.name for run in methods.run)}
    for name in sorted(set(series.unsupported) - known):
        line = toml.line_of(text, f"lab.unsupported.{name}")
        meant = nearest(name, known)
        cause = (
            f"lab.unsupported.{name}: neither a scenario nor an assertion nor a method has "
            f"this name{meant}"
        )
        yield toml.refuse(path, line, cause, catalogue.KEYS)
