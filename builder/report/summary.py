"""A run in a page of Markdown, as CI services show beside a job."""

from __future__ import annotations

import html
from collections.abc import Iterator

from builder import pages
from builder.report.record import BuildRecord
from builder.smoke.report import SmokeReport

SHOWN_CAUSE = 40
"""Lines of a failure's cause."""
_TOLD = ("repo/packages/", "vm/")
_MARKS = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*_|[]~"}
_SIGNS = {"pass": "✅", "fail": "❌"}


def markdown(made: BuildRecord, smoke: SmokeReport | None) -> str:
    """The summary; texts of guests, servers and compilers are not markup in it."""
    return "\n".join(_lines(made, smoke)) + "\n"


def _lines(made: BuildRecord, smoke: SmokeReport | None) -> Iterator[str]:
    sign = {"passed": "✅", "running": "⏳"}.get(made.outcome, "❌")
    yield f"## {sign} {_text(made.profile)} / {_text(made.flavour)}: {made.outcome}"
    yield ""
    if made.failure is not None:
        yield from _failure(made)
    if smoke is not None:
        words = smoke.summary if smoke.verdict == "pass" else f"{len(smoke.failures)} checks failed"
        yield f"Smoke test: {_SIGNS[smoke.verdict]} {_text(words)}, {smoke.seconds:.1f} s"
        yield ""
        yield from (f"- ❌ {_text(one.check)}: {_text(one.detail)}" for one in smoke.failures)
        yield ""
    if made.lab:
        yield "| scenario | verdict |"
        yield "| --- | --- |"
        for one in made.lab:
            told = f"{_SIGNS.get(one.outcome, '')} {one.outcome}" if one.current else "other image"
            yield f"| {_text(one.scenario)} | {told} |"
        yield ""
    outputs = [entry for entry in made.outputs if entry.path.startswith(_TOLD)]
    if outputs:
        yield "| file | size | SHA-256 |"
        yield "| --- | ---: | --- |"
        for entry in outputs:
            yield f"| {_text(entry.path)} | {pages.size(entry.size)} | `{entry.sha256}` |"
        yield ""
    if made.origin is not None:
        commit = made.origin.commit[:12] or "not known"
        yield f"{pages.moment(made.origin.began)}, commit {_text(commit)}, report.html has all."


def _failure(made: BuildRecord) -> Iterator[str]:
    failure = made.failure
    if failure is None:
        return
    stage = f" in {_text(failure.stage)}" if failure.stage else ""
    yield f"**Failed{stage}:** {_text(failure.what)}"
    yield ""
    lines = failure.cause.splitlines()[:SHOWN_CAUSE]
    if lines:
        yield f"<pre>{'<br>'.join(map(_text, lines))}</pre>"
        yield ""
    if failure.hint:
        yield f"**Next:** {_text(failure.hint)}"
        yield ""


def _text(text: str) -> str:
    """A text without markup, on one line."""
    return " ".join(html.escape(text, quote=False).translate(_MARKS).split())
