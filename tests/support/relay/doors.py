"""A door to a relay alone, as a build has it that uses no workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.relay.door import DoorServices, open_door
from builder.relay.model import RelayTraffic
from builder.relay.relay import Relay

SCOPE = "lts.kernel"


@contextmanager
def door_to(
    relay: Relay, folder: Path, scope: str = SCOPE, *, stores: bool = True
) -> Iterator[tuple[Path, RelayTraffic]]:
    """The socket, and what goes through it."""
    traffic = RelayTraffic()
    with open_door(folder, DoorServices(relay.answers(scope, traffic, stores=stores))) as path:
        yield path, traffic
