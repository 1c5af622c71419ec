"""Containers: the only room that knows Docker.

``connect`` finds an engine (or starts a private one) and yields an ``Engine``; every container
runs through its ``run``.  Docker's SDK is imported on the first connection, so that a run in
which nothing changed does not pay for it; annotations import ``Engine`` from here under
TYPE_CHECKING.
"""

from typing import TYPE_CHECKING

from builder.engine.connection import connect, require
from builder.engine.spec import ContainerSpec, Mount, describe_status

if TYPE_CHECKING:
    from builder.engine.container import Engine

__all__ = ["ContainerSpec", "Engine", "Mount", "connect", "describe_status", "require"]
