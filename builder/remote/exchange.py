"""Requests to the store: each ends in time, sends a password nowhere else, and takes no surprise.

No redirect is followed.  A request is tried again only if the server itself has trouble (RFC 9110,
15.6) or drops the connection; a server that cannot be reached or is silent is not asked twice.
"""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import requests
import urllib3

from builder.console import Progress
from builder.digest import Digest
from builder.remote.model import HttpStore
from builder.remote.pace import StorePace
from builder.shown import answer, without_secrets
from builder.source import web
from builder.source.client import HttpSession
from builder.source.limit import ContentRefused, Limit, LocationFailed
from builder.source.line import Line
from builder.source.model import Bounds
from builder.source.transfer import CHUNK, secrets_for

T = TypeVar("T")

_ABSENT = frozenset({404, 410})
_STORED = frozenset({200, 201, 204})  # RFC 9110, 9.3.4

_TOO_LARGE = 413  # RFC 9110, 15.5.14: of one file alone


@dataclass(frozen=True)
class StorePatience:
    """How long the store may take.  Seconds, unless said otherwise.

    ``connect``: until it accepts a connection.  ``stall``: without a byte.  ``answer``: for a small
    file, or before an archive.  ``rate``: bytes a second that an archive must come or go with, on
    average.  ``attempts``: how often a request is made.  ``pause``: before the second one.
    """

    connect: float = 5.0
    stall: float = 15.0
    answer: float = 30.0
    rate: float = 1 << 20
    attempts: int = 2
    pause: float = 0.5

    @property
    def bounds(self) -> Bounds:
        """The same for one connection."""
        return Bounds(connect=self.connect, stall=self.stall)

    def seconds(self, size: int) -> float:
        """How long ``size`` bytes may take."""
        return self.answer + size / self.rate


class _Passing(LocationFailed):
    """The next attempt may succeed."""


@dataclass(frozen=True)
class StoreExchange:
    """All requests of one direction; ``stop`` ends them.  ``pace``: of all answers of the store.

    Every method raises LocationFailed with the store's answer, without secrets, and Interrupted.
    """

    store: HttpStore
    patience: StorePatience
    stop: threading.Event
    pace: StorePace | None = None

    def read(self, path: str, most: int) -> bytes | None:
        """A small file, None if there is none; ContentRefused if it is of more than ``most``."""

        def take(response: requests.Response, line: Line) -> bytes:
            return b"".join(_chunks(response, line, most))

        return self._get(path, self.patience.answer, take)

    def fetch(self, path: str, target: Path, size: int, progress: Progress) -> Digest | None:
        """Write an archive of ``size`` bytes into a file; its digest, None if there is none.

        Raises ContentRefused if the store has another number of bytes.
        """

        def take(response: requests.Response, line: Line) -> Digest:
            length = response.headers.get("Content-Length", str(size))
            if length != str(size):
                raise ContentRefused(f"its archive has {length} bytes and not {size}")
            made = hashlib.sha256()
            progress.advance(-progress.done)
            with target.open("wb") as file:
                for data in _chunks(response, line, size):
                    file.write(data)
                    made.update(data)
                    progress.advance(len(data))
            return Digest(made.hexdigest())

        return self._get(path, self.patience.seconds(size), take)

    def size(self, path: str) -> int | None:
        """The bytes of a file, as the store says; None if it has none, or does not say it."""

        def attempt(limit: Limit) -> int | None:
            with self._ask("HEAD", path, limit) as (response, _):
                if response.status_code in _ABSENT:
                    return None
                _require(response, frozenset({200}))
                length = response.headers.get("Content-Length", "")
                return int(length) if length.isascii() and length.isdecimal() else -1

        return self._persist(attempt, self.patience.answer)

    def put(self, path: str, body: IO[bytes], size: int) -> None:
        """Store ``size`` bytes; ContentRefused if these are too many for the store."""

        def attempt(limit: Limit) -> None:
            body.seek(0)
            with self._ask("PUT", path, limit, body) as (response, _):
                _require(response, _STORED)

        self._persist(attempt, self.patience.seconds(size))

    def _get(
        self, path: str, seconds: float, take: Callable[[requests.Response, Line], T]
    ) -> T | None:
        def attempt(limit: Limit) -> T | None:
            with self._ask("GET", path, limit) as (response, line):
                if response.status_code in _ABSENT:
                    return None
                _require(response, frozenset({200}))
                return take(response, line)

        return self._persist(attempt, seconds)

    @contextmanager
    def _ask(
        self, method: str, path: str, limit: Limit, body: IO[bytes] | None = None
    ) -> Iterator[tuple[requests.Response, Line]]:
        url, bounds = self.store.url + path, self.patience.bounds
        password = self.store.password or web.nobody
        with (
            Line(limit.check) as line,
            HttpSession(line) as session,
            web.send(session, method, url, {}, bounds, body=body, password=password) as response,
        ):
            yield response, line

    def _persist(self, attempt: Callable[[Limit], T], seconds: float) -> T:
        """What ``attempt`` returns; it is called again after a failure that may pass."""
        limit, begun = Limit(self.store.what, seconds, self.stop), time.monotonic()
        for left in reversed(range(self.patience.attempts)):
            try:
                found = self._told(attempt, limit)
            except _Passing as failure:
                if not left:
                    raise LocationFailed(str(failure)) from failure
                limit.wait(self.patience.pause)
            else:
                self._judge_pace(time.monotonic() - begun - (seconds - self.patience.answer))
                return found
        raise ValueError("no attempt was allowed")

    def _judge_pace(self, seconds: float) -> None:
        """Raise LocationFailed if the store is too slow; ``seconds``: beside an archive's own."""
        slow = self.pace.add(max(seconds, 0.0)) if self.pace else ""
        if slow:
            raise LocationFailed(slow)

    def _told(self, attempt: Callable[[Limit], T], limit: Limit) -> T:
        """One attempt; libraries' errors become the store's answer."""
        try:
            return attempt(limit)
        except LocationFailed as failure:
            limit.check()
            raise type(failure)(self._without_secrets(str(failure))) from failure
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            ValueError,
        ) as error:
            limit.check()  # a connection that was shut down for that is not an answer
            kind = _Passing if _may_pass(error) else LocationFailed
            raise kind(self._without_secrets(web.innermost(error))) from error

    def _without_secrets(self, words: str) -> str:
        own = self.store.password.secrets if self.store.password else ()
        return answer(words, (*own, *secrets_for(self.store.url)))


def _chunks(response: requests.Response, line: Line, most: int) -> Iterator[bytes]:
    """The body; ContentRefused if it has more than ``most`` bytes.

    One that is shorter than announced may be whole the next time.
    """
    response.raw.enforce_content_length = False  # the words are ours
    got, length = 0, response.headers.get("Content-Length", "")
    while data := response.raw.read1(min(CHUNK, most + 1 - got), decode_content=False):
        line.earn(len(data))
        got += len(data)
        if got > most:
            raise ContentRefused(f"it has more than {most} bytes")
        yield data
    if length.isascii() and length.isdecimal() and got < int(length):
        raise _Passing(f"the connection ended after {got} of {length} bytes")


def _require(response: requests.Response, wanted: frozenset[int]) -> None:
    """Raise for a status that is not wanted."""
    status = response.status_code
    if status in wanted:
        return
    words = f"HTTP {status} {response.reason}".rstrip()
    if "Location" in response.headers:
        there = without_secrets(response.headers["Location"])
        raise LocationFailed(f"{words} to {there}: redirects are not followed")
    if status == _TOO_LARGE:
        raise ContentRefused(words)
    raise (_Passing if status in web.PASSING else LocationFailed)(words)


def _may_pass(error: Exception) -> bool:
    """Whether a connection that was there has ended."""
    if isinstance(error, (requests.Timeout, requests.exceptions.SSLError)):
        return False
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return False
    return isinstance(
        error,
        (requests.ConnectionError, urllib3.exceptions.ProtocolError, http.client.HTTPException),
    )
