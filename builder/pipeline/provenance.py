"""Where a finished output was made, if another machine made it."""

from __future__ import annotations

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """A store's entry.  ``store``: its address, without secrets.  ``signer``: whose key signed it.

    ``key``: that key's fingerprint.  ``builder``: the version that made it.  ``made``: when it was
    begun there, in seconds since the epoch.  ``seconds``: how long it took there.
    """

    store: str
    signer: str
    key: str
    builder: str
    made: float
    seconds: float

    def __str__(self) -> str:
        return f"from the stage store {self.store}, signed by {self.signer}"
