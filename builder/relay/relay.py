"""Between a run's containers and the store: it holds address and password, they have a socket.

A container has no network.  The folder with the socket is mounted into it, and ccache speaks the
protocol of Redis there.  Whatever else it says is refused: a container can get and store ccache's
objects of its own component by their keys, and nothing else.

Whatever the store does, the build goes on: a store that does not answer as it should is not asked
again in the run.
"""

from __future__ import annotations

import threading
import time
from functools import partial

from builder.console import Console
from builder.errors import Interrupted
from builder.relay import resp, uploads
from builder.relay.door import Answer
from builder.relay.model import KEY, MOST, CompilerCache, ObjectKey, RelayTraffic
from builder.relay.room import RoomClaim
from builder.relay.stores import PATIENCE, open_store
from builder.relay.uploads import Uploads
from builder.remote.exchange import StorePatience
from builder.remote.pace import StorePace
from builder.shown import without_secrets
from builder.source.limit import ContentRefused, LocationFailed

STORED = 5 << 30
"""Bytes that one container may store, as many as its own cache has."""

GRACE, EACH = 20.0, 1.0
"""Seconds that a run may wait for the store, and for each object: compiling takes about as long."""


class Relay:
    """One run's access to the store.  ``close`` must be called at its end."""

    def __init__(
        self, cache: CompilerCache, console: Console, patience: StorePatience = PATIENCE
    ) -> None:
        self._cache = cache
        self._console = console
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._guard = threading.Lock()
        self._store = open_store(cache, self._stop, patience)
        self._uploads = Uploads(self._store, self._tell_unstored)
        self._pace = StorePace(GRACE, EACH)

    def answers(self, scope: str, traffic: RelayTraffic, *, stores: bool = True) -> Answer:
        """What one container gets and stores.

        ``scope``: whose objects these are; it reaches no others.  ``traffic``: counts what goes
        through.  ``stores``: whether its objects may be stored.
        """
        pushes = stores and self._cache.pushes
        return partial(self.answer, scope=scope, traffic=traffic, pushes=pushes)

    def answer(
        self,
        words: tuple[bytes, ...],
        claim: RoomClaim,
        *,
        scope: str,
        traffic: RelayTraffic,
        pushes: bool,
    ) -> bytes:
        """The answer to a command, as it is sent.  Raises Crowded."""
        name, key = words[0].upper(), KEY.fullmatch(words[1]) if len(words) > 1 else None
        if key is None:
            return resp.error("only objects of ccache are known here")
        if name == b"GET" and len(words) == 2:
            claim.hold(2 * MOST)  # as it comes, and as it is sent
            found = self._get(ObjectKey(scope, key[1].decode()), traffic)
            claim.hold(2 * len(found or b""))
            return resp.bulk(found)
        if name == b"SET" and len(words) == 3:
            if pushes and not self._lost.is_set() and traffic.sent < STORED:
                self._uploads.add(ObjectKey(scope, key[1].decode()), words[2], traffic)
            return resp.OK
        if name in (b"EXISTS", b"DEL") and len(words) == 2:
            return resp.number(0)  # nothing is removed for a container
        return resp.error("only GET and SET are known here")

    def close(self, *, at_once: bool = False) -> None:
        """Wait until all objects are stored; ``at_once``: give that up."""
        if at_once:
            self._uploads.give_up()
            self._stop.set()
            return
        try:
            left = self._uploads.close()
        except KeyboardInterrupt:
            self._stop.set()
            raise
        if left:
            self._stop.set()
            shown = without_secrets(self._cache.url)
            self._console.warn(
                f"the compiler cache {shown} did not get {left} objects: "
                f"it took more than {uploads.AT_END:g} s for the last ones"
            )

    def _get(self, key: ObjectKey, traffic: RelayTraffic) -> bytes | None:
        if self._lost.is_set():
            return None
        begun, found = time.monotonic(), None
        try:
            found = self._store.get(key)
        except Interrupted:
            return None
        except ContentRefused:  # of one object alone
            traffic.add(errors=1)
        except LocationFailed as failure:
            traffic.add(errors=1)
            self._lose(failure)
            return None
        else:
            self._count(found, traffic)
        slow = self._pace.add(time.monotonic() - begun)
        if slow:
            self._lose(LocationFailed(slow))
        return found

    @staticmethod
    def _count(found: bytes | None, traffic: RelayTraffic) -> None:
        if found is None:
            traffic.add(missing=1)
        else:
            traffic.add(found=1, received=len(found))

    def _lose(self, failure: LocationFailed) -> None:
        with self._guard:
            said = self._lost.is_set()
            self._lost.set()
        if not said:
            self._uploads.give_up()
            shown = without_secrets(self._cache.url)
            self._console.warn(
                f"the compiler cache {shown} is not used in this run: {failure}; "
                "everything is compiled here"
            )

    def _tell_unstored(self, failure: LocationFailed) -> None:
        shown = without_secrets(self._cache.url)
        self._console.warn(f"nothing more is stored in the compiler cache {shown}: {failure}")
