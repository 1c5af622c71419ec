"""The lines that the guest writes on its virtio-serial port, one JSON object each.

``{"phase": "start", "uptime": 4.2, "kernel_us": 1300000}`` first, then one ``Check`` per check and
``{"verdict": "pass", "checks": N}`` last.  Anything else is a broken guest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from builder.smoke.report import Check

PORT = "org.lvs-fullnat.selftest"
LINE_LIMIT = 64 * 1024


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload runs.

    ``uptime``: seconds since the kernel started; ``kernel_us``: microseconds that it took to
    its first process.
    """

    phase: Literal["start"]
    uptime: float
    kernel_us: int


class GuestVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The guest's last word, and how many checks it has reported."""

    verdict: Literal["pass", "fail"]
    checks: int


class MalformedLine(Exception):
    """The guest wrote something that is not part of the protocol."""


_SHAPES: tuple[tuple[str, type[Start] | type[Check] | type[GuestVerdict]], ...] = (
    ("phase", Start),
    ("check", Check),
    ("verdict", GuestVerdict),
)


def parse(line: bytes) -> Start | Check | GuestVerdict:
    """One line; raises MalformedLine with the line's beginning."""
    try:
        keys = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        for key, shape in _SHAPES:
            if key in keys:
                return msgspec.json.decode(line, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedLine(f"{error}: {line[:200]!r}") from error
    raise MalformedLine(f"neither a check nor a verdict: {line[:200]!r}")


@dataclass
class Transcript:
    """All that one guest has said, in order, with host times (seconds since power-on)."""

    start: Start | None = None
    started_at: float = 0.0
    checks: list[Check] = field(default_factory=list)
    verdict: GuestVerdict | None = None
    verdict_at: float = 0.0
    complaint: str = ""
    _rest: bytes = b""

    def feed(self, data: bytes, now: float) -> None:
        """Take in bytes as they come; the first violation is kept as ``complaint``."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line, now)
        if len(self._rest) > LINE_LIMIT:
            self._complain(f"a line of more than {LINE_LIMIT} bytes: {self._rest[:80]!r}...")
            self._rest = b""

    def close(self) -> None:
        """No more bytes will come."""
        if self._rest:
            self._complain(f"an unfinished last line: {self._rest[:200]!r}")

    def _complain(self, words: str) -> None:
        self.complaint = self.complaint or words

    def _take(self, line: bytes, now: float) -> None:
        try:
            said = parse(line)
        except MalformedLine as error:
            self._complain(str(error))
            return
        if self.verdict is not None:
            self._complain(f"a line after the verdict: {line[:200]!r}")
        elif isinstance(said, Start):
            self.start, self.started_at = said, now
        elif isinstance(said, Check):
            self.checks.append(said)
        else:
            self.verdict, self.verdict_at = said, now

    def problem(self, expected: frozenset[str]) -> str:
        """Why this is not a whole, consistent transcript of ``expected`` checks; "" if it is."""
        if self.complaint:
            return f"the guest's report is malformed: {self.complaint}"
        if self.start is None:
            return "the self-test never started in the guest"
        if self.verdict is None:
            return f"the guest gave no verdict after {len(self.checks)} checks"
        names = [check.check for check in self.checks]
        if self.verdict.checks != len(names):
            return f"the guest counts {self.verdict.checks} checks, {len(names)} arrived"
        return _difference(names, expected)


def _difference(names: list[str], expected: frozenset[str]) -> str:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"checks reported twice: {', '.join(twice)}"
    missing = sorted(expected - set(names))
    if missing:
        return f"checks that were never made: {', '.join(missing)}"
    unknown = sorted(set(names) - expected)
    return f"checks nobody knows: {', '.join(unknown)}" if unknown else ""
