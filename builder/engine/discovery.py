"""Finding an engine, or starting one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from builder.console import Console
from builder.engine.container import CLOSE_SECONDS, HASTE_SECONDS, Engine
from builder.engine.location import Endpoint, ask, named_endpoint, usual_endpoints
from builder.engine.private import find_daemon, hold, private_engine
from builder.errors import EnvironmentFailure, Interrupted
from builder.host.paths import Cache
from builder.host.tools import table


@contextmanager
def discover(cache: Cache, console: Console) -> Iterator[Engine]:
    """An engine for as long as the block lasts.

    In this order: DOCKER_HOST, the current Docker context, Docker's and Podman's usual
    sockets, a private engine.  One that the user named is used or the run fails.  Raises
    EnvironmentFailure if there is none, with the exact fix.
    """
    with _endpoint(cache, console) as endpoint:
        engine = Engine(endpoint, ask(endpoint))
        engine.sweep(console)
        patience = CLOSE_SECONDS
        try:
            yield engine
        except (KeyboardInterrupt, Interrupted):
            patience = HASTE_SECONDS
            raise
        finally:
            engine.close(patience)


@contextmanager
def _endpoint(cache: Cache, console: Console) -> Iterator[Endpoint]:
    found = _answering()
    if found:
        yield found
        return
    _require_private()
    with hold(private_engine(cache), console) as endpoint:
        yield endpoint


def require_reachable() -> None:
    """An engine must answer, or a private one must be possible; else EnvironmentFailure."""
    if _answering() is None:
        _require_private()


def _answering() -> Endpoint | None:
    named = named_endpoint()
    if named:
        ask(named)
        return named
    for endpoint in usual_endpoints():
        try:
            ask(endpoint)
        except EnvironmentFailure:
            continue
        return endpoint
    return None


def _require_private() -> None:
    if os.getuid() != 0:
        raise EnvironmentFailure(
            "no container engine answers",
            "neither DOCKER_HOST, a Docker context, /var/run/docker.sock nor Podman's socket "
            "leads to one, and starting a private one needs root",
            "run `systemctl --user start podman.socket`, or `sudo systemctl start docker` and "
            f"`sudo usermod -aG docker $USER` (user id {os.getuid()}; log in again), or "
            "run this command as root",
        )
    if find_daemon() is None:
        raise EnvironmentFailure(
            "no container engine answers",
            "no socket of Docker or Podman answers, and dockerd is not installed",
            f"apt-get install {table()['dockerd'].package}",
        )
