"""The doctor's finding about one thing on this host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

FAILED_EXIT = 7
VERSION = 1


class Status(StrEnum):
    """``failure``: a build cannot work; ``warning``: it can, but something is missing."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(msgspec.Struct, frozen=True):
    """``value``: what was found; ``reason``: why it matters; ``fix``: the exact next step.

    ``command``: the command that fixes it, if one command does.
    """

    name: str
    status: Status
    value: str
    reason: str = ""
    fix: str = ""
    command: tuple[str, ...] | None = None


def worst(findings: Iterable[Finding]) -> int:
    """The exit code: 7 if a build cannot work, else 0."""
    return FAILED_EXIT if any(one.status is Status.FAILURE for one in findings) else 0


class Report(msgspec.Struct, frozen=True):
    """The output of ``--json``: all findings, and a summary in one line."""

    version: int
    summary: str
    findings: tuple[Finding, ...]


def summary(findings: tuple[Finding, ...], what: str = "this checkout") -> str:
    """One line: whether ``what`` can be built here, and what is not in order."""
    failed, doubted = (
        [one.name for one in findings if one.status is status]
        for status in (Status.FAILURE, Status.WARNING)
    )
    verdict = "cannot" if failed else "can"
    parts = [f"this host {verdict} build {what}: {len(findings)} things were examined"]
    parts += [f"{len(failed)} failed ({', '.join(failed)})"] if failed else []
    parts += [f"{len(doubted)} with a warning ({', '.join(doubted)})"] if doubted else []
    return "; ".join(parts)


def as_json(findings: tuple[Finding, ...], what: str = "this checkout") -> str:
    """A JSON object ``{version, summary, findings}``, indented."""
    report = Report(VERSION, summary(findings, what), findings)
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def lines(findings: tuple[Finding, ...], what: str = "this checkout") -> Iterator[str]:
    """A table for people; reason and fix follow each finding that is not in order.

    The last line is the summary.
    """
    width = max((len(one.name) for one in findings), default=0)
    for one in findings:
        yield f"{one.status:<7}  {one.name:<{width}}  {one.value}".rstrip()
        if one.status is not Status.OK:
            indent = " " * (width + 11)
            yield from (f"{indent}{text}" for text in one.reason.splitlines())
            if one.fix:
                yield f"{indent}fix: {one.fix}"
    yield summary(findings, what)
