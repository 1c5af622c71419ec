"""Redis's protocol, with what no honest peer says."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.relay import resp

WORDS = st.lists(st.binary(max_size=64), min_size=1, max_size=resp.MOST_WORDS)


@given(st.lists(WORDS, max_size=3))
def test_commands_are_read_as_they_were_sent(commands: list[list[bytes]]) -> None:
    stream = io.BytesIO(b"".join(resp.command(*words) for words in commands))
    read = [resp.read_command(stream, 64) for _ in range(len(commands) + 1)]
    assert read == [*map(tuple, commands), None]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET x\r\n",  # as at a terminal
        b"*1\r\n",
        b"*1\n$1\nx\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*5\r\n" + b"$1\r\nx\r\n" * 5,
        b"*x\r\n",
        b"*\xb2\r\n$1\r\nx\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$2\r\nx\r\n",
        b"*1\r\n$65\r\n" + b"x" * 65 + b"\r\n",
        b"*1\r\n$999999999999\r\n",
        b"*1\r\n$9999999999999999999999\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n$3\r\nxyzab",
        b"*" + b"1" * 600,
        b"*1",
    ],
)
def test_what_is_no_command_is_refused(sent: bytes) -> None:
    with pytest.raises(resp.Malformed):
        resp.read_command(io.BytesIO(sent), 64)


@given(st.binary(max_size=80))
def test_no_bytes_do_anything_else(sent: bytes) -> None:
    stream = io.BytesIO(sent)
    try:
        words = resp.read_command(stream, 64)
    except resp.Malformed:
        return
    if words is None:
        assert sent == b""
    else:
        assert sent.startswith(resp.command(*words)[:1])


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (b"$3\r\nabc\r\n", b"abc"),
        (b"$0\r\n\r\n", b""),
        (b"$-1\r\n", None),
        (b"+OK\r\n", b"OK"),
        (b":12\r\n", b"12"),
    ],
)
def test_an_answer_is_one_value(sent: bytes, value: bytes | None) -> None:
    assert resp.read_answer(io.BytesIO(sent), 64) == value


@pytest.mark.parametrize("more", ["", " or such" * 200, " or"])
def test_an_error_is_told_in_the_servers_words(more: str) -> None:
    # Redis explains its protected mode in more than a thousand bytes.
    sent = f"-WRONGPASS invalid username{more}\r\n"
    with pytest.raises(resp.Refused, match=r"^WRONGPASS invalid username"):
        resp.read_answer(io.BytesIO(sent.encode()), 64)


@pytest.mark.parametrize(
    "sent",
    [b"", b"+OK", b"HTTP/1.1 200 OK\r\n", b"*1\r\n", b"$2\r\nabc\r\n", b"$65\r\n", b"$x\r\n"],
)
def test_what_is_no_answer_is_refused(sent: bytes) -> None:
    with pytest.raises(resp.Malformed):
        resp.read_answer(io.BytesIO(sent), 64)
