"""What every kind of download shares: its order, its partial file, how it gives up."""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.request import getproxies

import msgspec

from builder.digest import decode
from builder.host.space import full_disk, is_full
from builder.shown import answer, secrets_of, without_secrets
from builder.source.limit import Limit, LocationFailed
from builder.source.model import Bounds

if TYPE_CHECKING:
    from builder.console import Console, Progress

CHUNK = 1 << 17  # bytes
_MOST_TRIES = 100  # whatever progress each of them makes


class TryAgain(Exception):
    """This try failed, the next may not.  ``wait``: seconds the server asked for, if any."""

    def __init__(self, answer: str, wait: float | None = None) -> None:
        super().__init__(answer)
        self.answer = answer
        self.wait = wait


class Origin(msgspec.Struct, frozen=True):
    """What a partial file is a part of: the server's validator (RFC 9110, 8.8) and full size."""

    validator: str
    total: int | None


def secrets_for(url: str) -> tuple[str, ...]:
    """The secrets in ``url`` and in the proxies on the way, which a peer may send back."""
    return tuple(secret for one in (url, *getproxies().values()) for secret in secrets_of(one))


@dataclass(frozen=True)
class Partial:
    """The bytes of a download so far, kept across runs."""

    path: Path

    @staticmethod
    def of(folder: Path, url: str) -> Partial:
        """The partial file for ``url`` (any text that distinguishes downloads)."""
        folder.mkdir(parents=True, exist_ok=True)
        return Partial(folder / hashlib.sha256(url.encode()).hexdigest()[:32])

    @property
    def length(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def origin(self) -> Origin | None:
        """What the server must still have for the rest to fit, None if it gave nothing."""
        try:
            return decode(self._note.read_bytes(), Origin)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def remember(self, validator: str | None, total: int | None) -> None:
        """Note the origin of the file that begins now."""
        if validator is None:
            self._note.unlink(missing_ok=True)
        else:
            self._note.write_bytes(msgspec.json.encode(Origin(validator, total)))

    def drop(self) -> None:
        """Forget it all."""
        for path in (self.path, self._note, self._parked.path, self._parked._note):
            path.unlink(missing_ok=True)

    @property
    def _parked(self) -> Partial:
        return Partial(self.path.with_name(f"{self.path.name}.parked"))

    def park(self) -> None:
        """Put the bytes so far aside, so that the download starts again."""
        _move(self, self._parked)

    def unpark(self) -> None:
        """Take back the parked bytes, unless more have come since."""
        if self._parked.length > self.length:
            _move(self._parked, self)


def _move(origin: Partial, target: Partial) -> None:
    target._note.unlink(missing_ok=True)
    for old, new in ((origin.path, target.path), (origin._note, target._note)):
        with contextlib.suppress(FileNotFoundError):
            old.rename(new)


@dataclass(frozen=True)
class Arrival:
    """How a download arrived.  ``parts``: it may consist of several parts.

    ``hops``: the addresses that were requested for its last part: redirects, then the server.
    """

    hops: tuple[str, ...]
    parts: bool = False


@dataclass(frozen=True)
class Transfer:
    """The order for one download, which ends within ``limit``, however often it is tried."""

    url: str
    partial: Partial
    max_bytes: int
    bounds: Bounds
    label: str
    console: Console
    limit: Limit

    def check(self) -> None:
        """Raise LocationFailed if time is up, Interrupted if the run is being stopped."""
        self.limit.check()

    def has_time(self, seconds: float) -> bool:
        """Whether that much time is left."""
        return time.monotonic() + seconds <= self.limit.deadline

    @property
    def shown(self) -> str:
        """The URL without secrets."""
        return without_secrets(self.url)

    def told(self, words: str) -> str:
        """The words of the peer or of a library without the URL's secrets, to be shown."""
        return answer(words, secrets_for(self.url))

    def open(self, offset: int) -> IO[bytes]:
        """The partial file for writing from ``offset`` on."""
        if offset:
            return self.partial.path.open("ab")
        return self.partial.path.open("wb")

    def check_size(self, size: int | None) -> None:
        """Raise LocationFailed if ``size`` bytes are more than the source may have."""
        if size is not None and size > self.max_bytes:
            self.partial.drop()
            raise LocationFailed(f"larger than the limit of {self.max_bytes} bytes")


def receive(
    order: Transfer, read: Callable[[], bytes], offset: int, total: int | None, progress: Progress
) -> None:
    """Append what ``read`` gives to the partial file up to ``total`` bytes or its end.

    Raises LocationFailed for too many bytes or seconds, TryAgain for too few bytes,
    EnvironmentFailure if the disk is full, Interrupted if stopped.
    """
    order.check_size(total)
    got = offset
    progress.advance(got - progress.done)
    try:
        with order.open(offset) as file:
            while total is None or got < total:
                order.check()
                data = read()
                if not data:
                    break
                got += len(data)
                order.check_size(got)
                file.write(data)
                progress.advance(len(data))
    except OSError as error:
        if is_full(error):
            needed = total - got if total is not None else None
            raise full_disk(f"cannot fetch {order.label}", order.partial.path.parent, needed) from (
                error
            )
        raise
    if total is not None and got != total:
        raise TryAgain(f"the connection ended after {got} of {total} bytes")


def persist(order: Transfer, attempt: Callable[[Progress], tuple[str, ...]]) -> Arrival:
    """Call ``attempt`` until it succeeds; raise LocationFailed when all tries are used up.

    ``attempt`` returns the addresses that it requested.  Waits grow exponentially with full jitter;
    tries that got new bytes do not count.  A part of an earlier try that the server does not
    complete, whatever it answers, is put aside once, and the download starts again.
    """
    try:
        return _persist(order, attempt, _Patience(order))
    except LocationFailed as failure:
        # A part of unknown origin is never resumed, so it is not the cause.
        if order.partial.origin is None or not order.has_time(order.bounds.stall):
            raise
        order.console.say(f"{order.shown}: {failure}; restarting the download")
    order.partial.park()
    try:
        return _persist(order, attempt, _Patience(order, once=True))
    except BaseException:
        order.partial.unpark()
        raise


def _persist(
    order: Transfer, attempt: Callable[[Progress], tuple[str, ...]], patience: _Patience
) -> Arrival:
    with order.console.progress(order.label, None, "B") as progress:
        for _ in range(_MOST_TRIES):
            try:
                hops = attempt(progress)
            except LocationFailed as failure:
                order.check()  # a connection that was shut down for that is not an answer
                raise LocationFailed(order.told(str(failure))) from failure
            except TryAgain as failure:
                order.check()
                patience.wait(TryAgain(order.told(failure.answer), failure.wait))
            else:
                return Arrival(hops, patience.parts)
    raise LocationFailed(f"not whole after {_MOST_TRIES} connections")


class _Patience:
    """The state of one download's tries; ``parts``: some of it was kept.

    ``once``: there is no second try before something has arrived.
    """

    def __init__(self, order: Transfer, *, once: bool = False) -> None:
        self._order = order
        self._once = once
        self._fruitless = 0
        self._best = order.partial.length
        self.parts = self._best > 0

    def wait(self, failure: TryAgain) -> None:
        """Wait before the next try; raises LocationFailed if there is none, and as ``check``."""
        order, length = self._order, self._order.partial.length
        self.parts = self.parts or length > 0
        self._fruitless = 1 if length > self._best else self._fruitless + 1
        self._best = max(self._best, length)
        seconds = _pause(order.bounds, self._fruitless, failure)
        if self._fruitless >= (1 if self._once and not length else order.bounds.attempts):
            raise LocationFailed(failure.answer) from failure
        if not order.has_time(seconds):
            raise LocationFailed(f"{failure.answer}; out of time") from failure
        order.console.say(f"{order.shown}: {failure.answer}; again in {seconds:.1f} s")
        order.limit.wait(seconds)


def _pause(bounds: Bounds, fruitless: int, failure: TryAgain) -> float:
    if failure.wait is None:
        ceiling: float = min(bounds.backoff_cap, bounds.backoff * 2 ** (fruitless - 1))
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return jitter * ceiling
    if failure.wait > bounds.retry_after:
        raise LocationFailed(f"{failure.answer}; retry after {failure.wait:.0f} s") from failure
    return failure.wait
