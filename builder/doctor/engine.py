"""Whether containers can be run: by an engine that answers, or by a private one.

Order of places: Docker's own (DOCKER_HOST, then the context), then the usual sockets of
Docker and Podman.  An engine is asked ``GET /_ping`` (Docker Engine API), nothing is started.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from builder.doctor.finding import Finding, Status
from builder.host.tools import find, table

ASK_SECONDS = 5.0
SYSTEM_SOCKETS = (Path("/var/run/docker.sock"), Path("/run/podman/podman.sock"))


@dataclass(frozen=True)
class Place:
    """Where an engine may be; ``named`` is what chose it, empty for the usual places."""

    url: str
    named: str = ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ASK_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def examine_engine(
    environment: Mapping[str, str] = os.environ,
    *,
    system_sockets: tuple[Path, ...] = SYSTEM_SOCKETS,
    user: int | None = None,
) -> Finding:
    """The engine that a build would use.  ``user``: its numeric id, ours if not given."""
    try:
        named = _named(environment)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding(
            "engine",
            Status.FAILURE,
            "Docker's configuration cannot be read",
            f"{type(error).__name__}: {error}",
            "docker context use default, or set DOCKER_HOST",
        )
    if named is not None:
        return _examine_named(named, tls="DOCKER_TLS_VERIFY" in environment)
    refusals: list[str] = []
    for place in _usual(environment, system_sockets):
        try:
            return Finding("engine", Status.OK, f"{ping(place.url)} at {place.url}")
        except (OSError, http.client.HTTPException) as error:
            refusals.append(f"{place.url}: {error}")
    return _examine_private(refusals, os.getuid() if user is None else user)


def ping(url: str) -> str:
    """Which engine answers at ``url`` (unix:// or tcp://), in its own words.

    Raises OSError or http.client.HTTPException if none does.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "unix":
        connection = _UnixConnection(parts.path)
    else:
        host = parts.hostname or "localhost"
        connection = http.client.HTTPConnection(host, parts.port or 2375, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/_ping")
        answer = connection.getresponse()
        body = answer.read(200).decode(errors="replace").strip()
        if answer.status != 200:
            raise ConnectionError(f"HTTP {answer.status}: {body}")
        return answer.headers.get("Server") or f"API {answer.headers.get('Api-Version', 'unknown')}"
    finally:
        connection.close()


def _named(environment: Mapping[str, str]) -> Place | None:
    if host := environment.get("DOCKER_HOST"):
        return Place(host, "DOCKER_HOST")
    home = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker")
    wanted = environment.get("DOCKER_CONTEXT", "")
    configuration = home / "config.json"
    if not wanted and configuration.is_file():
        wanted = str(
            json.loads(configuration.read_text(encoding="utf-8")).get("currentContext", "")
        )
    if wanted in ("", "default"):
        return None
    # Docker keeps a context in a folder named by the SHA-256 of its name.
    folder = home / "contexts/meta" / hashlib.sha256(wanted.encode()).hexdigest()
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return Place(str(meta["Endpoints"]["docker"]["Host"]), f"Docker context {wanted}")


def _usual(environment: Mapping[str, str], system: tuple[Path, ...]) -> tuple[Place, ...]:
    runtime = environment.get("XDG_RUNTIME_DIR")
    own = [Path(runtime) / "docker.sock", Path(runtime) / "podman/podman.sock"] if runtime else []
    return tuple(Place(f"unix://{path}") for path in (*system, *own) if path.exists())


def _examine_named(place: Place, *, tls: bool) -> Finding:
    value = f"{place.url} ({place.named})"
    if not place.url.startswith(("unix://", "tcp://")) or tls:
        reason = "it is reached through ssh or TLS and was not asked; a build will ask it"
        return Finding(
            "engine", Status.WARNING, value, reason, f"check it: docker -H {place.url} info"
        )
    try:
        return Finding("engine", Status.OK, f"{ping(place.url)} at {value}")
    except (OSError, http.client.HTTPException) as error:
        fix = f"start that engine, or undo {place.named} to use another"
        return Finding("engine", Status.FAILURE, value, f"it does not answer: {error}", fix)


def _examine_private(refusals: list[str], user: int) -> Finding:
    heard = "; ".join(refusals) or "no socket of Docker or Podman is there"
    daemon = find("dockerd")
    if daemon is None:
        reason = f"{heard}; and dockerd, to start a private one, is not installed"
        install = ("apt-get", "install", "-y", table()["dockerd"].package)
        return Finding("engine", Status.FAILURE, "none", reason, " ".join(install), install)
    if user != 0:
        reason = f"{heard}; starting a private one needs root (this is user {user})"
        fix = "systemctl --user start podman.socket, or systemctl start docker, or run as root"
        return Finding("engine", Status.FAILURE, "none answers", reason, fix)
    return Finding("engine", Status.OK, f"none runs; a private one will be started by {daemon}")
