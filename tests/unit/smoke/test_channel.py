"""What the guest says is believed only if it is whole and well-formed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.smoke.channel import LINE_LIMIT, Transcript

START = b'{"phase": "start", "uptime": 4.2, "kernel_us": 1300000}\n'
ONE = b'{"check": "one", "ok": true, "detail": "seen", "ms": 3}\n'
TWO = b'{"check": "two", "ok": true, "detail": "seen", "ms": 3}\n'
END = b'{"verdict": "pass", "checks": 2}\n'
EXPECTED = frozenset({"one", "two"})


def problem(data: bytes) -> str:
    transcript = Transcript()
    transcript.feed(data, 1.0)
    transcript.close()
    return transcript.problem(EXPECTED)


def test_a_whole_report_has_no_problem() -> None:
    assert problem(START + ONE + TWO + END) == ""


@given(st.integers(1, 40))
def test_lines_may_come_in_pieces(size: int) -> None:
    data = START + ONE + TWO + END
    transcript = Transcript()
    for at in range(0, len(data), size):
        transcript.feed(data[at : at + size], float(at))
    transcript.close()
    assert transcript.problem(EXPECTED) == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "never started"),
        (START + ONE + TWO, "no verdict"),
        (START + ONE + END, "counts 2 checks, 1 arrived"),
        (START + ONE + ONE + END, "twice: one"),
        (START + ONE + TWO.replace(b"two", b"six") + END, "never made: two"),
        (START + ONE + TWO + ONE.replace(b"one", b"six") + END.replace(b"2", b"3"), "nobody"),
        (START + b"hello\n" + ONE + TWO + END, "malformed"),
        (START + b"[1]\n" + ONE + TWO + END, "malformed"),
        (START + b'{"else": 1}\n' + ONE + TWO + END, "neither a check nor a verdict"),
        (START + ONE.replace(b"true", b'"yes"') + TWO + END, "malformed"),
        (START + ONE + TWO + END + ONE, "after the verdict"),
        (START + ONE + TWO + END + b'{"che', "unfinished"),
        (START + b"x" * (LINE_LIMIT + 1), "more than"),
        (START + b"\xff\xfe\n" + ONE + TWO + END, "malformed"),
    ],
)
def test_anything_less_is_a_failure(data: bytes, words: str) -> None:
    assert words in problem(data)


@given(st.binary())
def test_no_bytes_at_all_make_it_fall_over_or_pass(data: bytes) -> None:
    assert problem(data)
