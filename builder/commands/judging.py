"""``invoke lab --judge`` and ``--check``: they need neither an image nor QEMU."""

from __future__ import annotations

from pathlib import Path

from builder.commands.lab import not_proven
from builder.console import Console
from builder.errors import UsageError
from builder.host.paths import Project
from builder.lab import judging, mistakes
from builder.lab import verdict as verdicts
from builder.lab.oracle.rows import ROWS
from builder.lab.page import lines, proof
from builder.lab.page.html import PAGE
from builder.lab.scenario import shipped
from builder.profile import load as profiles
from builder.profile import references


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
    faults += tuple(references.of_lab(project, loaded))
    if faults:
        raise UsageError(
            "the lab's files have a mistake" if len(faults) == 1 else f"{len(faults)} mistakes",
            "\n".join(f"{fault.what}: {fault.cause}" for fault in faults),
            mistakes.advice(faults),
        )
    count = len(names or shipped.available())
    good = "1 scenario is good" if count == 1 else f"{count} scenarios are good"
    return f"{good}; the oracle knows {len(ROWS)} assertions"
