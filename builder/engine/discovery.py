"""Finding an engine, or starting one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from builder.console import Console
from builder.engine.container import CLOSE_SECONDS, HASTE_SECONDS, Engine
from builder.engine.location import Endpoint, ask, named_endpoint, usual_endpoints
from builder.engine.private import find_daemon, hold, private_engine
from builder.errors import EnvironmentFailure, Interrupted
from builder.host import packager
from builder.host.paths import Cache
from builder.host.tools import table


@dataclass(frozen=True)
class Prospect:
    """The engine that a run would use, and the version of Docker's API that it speaks.

    Without an ``endpoint`` a private one would be started: ``daemon`` is its program.
    """

    endpoint: Endpoint | None
    version: str = ""
    daemon: str = ""


@contextmanager
def discover(cache: Cache, console: Console) -> Iterator[Engine]:
    """An engine for as long as the block lasts.

    In this order: DOCKER_HOST, the current Docker context, Docker's and Podman's usual
    sockets, a private engine.  If the user named an engine, it is used or the run fails.  Raises
    EnvironmentFailure if there is none, with the exact fix.
    """
    with _endpoint(cache, console) as (endpoint, version):
        engine = Engine(endpoint, version)
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
def _endpoint(cache: Cache, console: Console) -> Iterator[tuple[Endpoint, str]]:
    found = look()
    if found.endpoint is not None:
        yield found.endpoint, found.version
        return
    with hold(private_engine(cache), console) as endpoint:
        yield endpoint, ask(endpoint)


def require_reachable() -> None:
    """An engine must answer, or a private one must be possible; else EnvironmentFailure."""
    look()


def look() -> Prospect:
    """The engine that a run would use; nothing is started.

    Raises EnvironmentFailure if there is none, with the exact fix.
    """
    named = named_endpoint()
    if named is not None:
        return Prospect(named, ask(named))
    refusals: list[str] = []
    for endpoint in usual_endpoints():
        try:
            return Prospect(endpoint, ask(endpoint))
        except EnvironmentFailure as error:
            refusals.append(str(error))
    return Prospect(None, daemon=_private_daemon(refusals))


def _private_daemon(refusals: list[str]) -> str:
    """The program of a private engine.  ``refusals``: the answers of the usual places."""
    heard = "\n".join(refusals)
    if os.getuid() != 0:
        raise EnvironmentFailure(
            "no container engine answers",
            "neither DOCKER_HOST, a Docker context, /var/run/docker.sock nor Podman's socket "
            f"leads to one, and starting a private one needs root\n{heard}".rstrip(),
            "run `systemctl --user start podman.socket`, or `sudo systemctl start docker` and "
            f"`sudo usermod -aG docker $USER` (user id {os.getuid()}; log in again), or "
            "run this command as root",
        )
    daemon = find_daemon()
    if daemon is None:
        raise EnvironmentFailure(
            "no container engine answers",
            "no socket of Docker or Podman answers, and dockerd is not installed\n"
            f"{heard}".rstrip(),
            packager.line([table()["dockerd"]]),
        )
    return daemon
