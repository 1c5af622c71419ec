"""``invoke judge``: what captures of your own director prove."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder import names
from builder.commands.judge_options import PROFILE
from builder.console import put_json, put_lines
from builder.errors import SmokeError, UsageError
from builder.host.whole import write_whole
from builder.lab import tally
from builder.lab import verdict as verdicts
from builder.lab.page import captures
from builder.lab.page.html import PAGE
from builder.lab.series import Fullnat
from builder.lab.trace import director as directors
from builder.lab.trace import judge as judging
from builder.lab.trace import reading
from builder.lab.trace.director import Described
from builder.lab.trace.judge import JudgedTrace
from builder.lab.verdict import Fault
from builder.place import Place
from builder.profile import load as profiles

FOLDER = "judge"
RANGE = "--local-ports 5000-65535"


class Options(msgspec.Struct, frozen=True):
    """The options as given; commas separate list items.  ``config``: a file with options."""

    outside: str | None = None
    inside: str | None = None
    vip: str | None = None
    local: str | None = None
    server: str | None = None
    local_ports: str | None = None
    no_toa: bool = False
    strict: bool = False
    config: str | None = None
    profile: str = PROFILE
    output: str | None = None
    json: bool = False


def judge(options: Options, place: Place) -> None:
    """Judge the captures, write page and verdict, and print the result.

    Raises UsageError if the captures cannot be judged, SmokeError if they are not a proof.
    """
    series = _series(place, options.profile)
    described = _described(options)
    director = directors.director(described, series)
    outside, inside = reading.recordings(described.outside, described.inside)
    target = Path(options.output) if options.output else place.project.results / FOLDER
    _make(target)
    trial = judging.judge(director, (outside, inside), options.profile, strict=options.strict)
    verdict = trial.verdict
    files = (", ".join(described.outside), ", ".join(described.inside))
    write_whole(target / PAGE, captures.render(trial, files).encode())
    write_whole(target / verdicts.FILE, verdicts.encode(verdict))
    if options.json:
        put_json(verdicts.encode(verdict).decode().rstrip())
    else:
        put_lines(_lines(trial, target))
    if verdict.outcome != "pass":
        failure = SmokeError(
            "not proven by these captures",
            verdict.complaint,
            f"read {target / PAGE}",
            log=target / verdicts.FILE,
        )
        failure.answered = options.json
        raise failure


def _series(place: Place, profile: str) -> Fullnat:
    found = profiles.load(place.project.specs, profile).lab
    if found is None:
        raise UsageError(
            f"profile {profile} has no table [lab]",
            "nothing says what its FULLNAT looks like on the wire",
            "--profile lts",
        )
    return found


def _described(options: Options) -> Described:
    """The values of the file, overridden by those of the command line."""
    config = options.config
    described = directors.load(Path(config)) if config is not None else Described()
    given = {
        name: names.split(f"--{name}", getattr(options, name))
        for name in ("vip", "local", "server")
        if getattr(options, name) is not None
    }
    for name in ("outside", "inside"):
        value = getattr(options, name)
        if value is not None:
            given[name] = tuple(one for one in value.split(",") if one)
    changed = msgspec.structs.replace(described, **given)
    if options.local_ports is not None:
        changed = msgspec.structs.replace(changed, local_ports=_ports(options.local_ports))
    return msgspec.structs.replace(changed, toa=changed.toa and not options.no_toa)


def _ports(word: str) -> tuple[int, int]:
    low, _, high = word.partition("-")
    if not (low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
        raise UsageError(
            f"{names.shown(word)} is not a range of ports",
            "it is FIRST-LAST",
            "--local-ports 5000-65535",
        )
    first, last = int(low), int(high)
    if last > 65535:
        raise UsageError(
            f"there is no port {last}", "the last one is 65535", "--local-ports 5000-65535"
        )
    return first, last


def _make(target: Path) -> None:
    """Make the folder for page and verdict: new, empty, or from an earlier verdict."""
    if target.exists() and not target.is_dir():
        raise UsageError(
            f"cannot write into {names.shown(str(target))}", "it is not a folder", "--output FOLDER"
        )
    target.mkdir(parents=True, exist_ok=True)


def _lines(trial: JudgedTrace, target: Path) -> list[str]:
    verdict = trial.verdict
    run = verdict.runs[0]
    counted = run.counters
    marks = {"pass": "ok ", "fail": "BAD", "undecided": "?  ", "unsupported": "-  "}
    lines = [
        f"  {marks[row.outcome]} {row.name:<18} {row.seen}"
        + "".join(
            f"\n        {': '.join(filter(None, (fault.expected, _places(fault))))}"
            for fault in row.faults[:2]
        )
        for row in run.rows
    ]
    lines.append(
        f"{counted['connections']} connections on both sides, "
        f"{counted['connections_not_judged']} not judged, "
        f"{counted['foreign_outside'] + counted['foreign_inside']} packets of others"
    )
    lines += [f"  {count} not judged: {why}" for why, count in trial.unjoined.items()]
    words = tally.of_runs(verdict.runs).words
    lines.append(
        f"captures: {verdict.outcome}, {words}, after {verdict.seconds:.1f} s; {target / PAGE}"
    )
    return [part for line in lines for part in line.split("\n")]


def _places(fault: Fault) -> str:
    return ", ".join(f"{packet.capture} #{packet.frame}" for packet in fault.packets)
