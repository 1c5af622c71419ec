"""Where an engine may be: what the user named, or the places where engines usually listen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from docker import APIClient
from docker.context import ContextAPI
from docker.errors import DockerException, InvalidVersion
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from builder.errors import EnvironmentFailure

# 1.40 (Docker 19.03) is the first with everything used here; Podman's service speaks 1.40 too.
OLDEST_API = (1, 40)
ASK_SECONDS = 20
WORK_SECONDS = 300


@dataclass(frozen=True)
class Endpoint:
    """An address of an engine.

    ``named``: how the user chose it; empty if it is a usual place that was looked at.
    ``private``: started by the builder; ``log``: what it writes.
    """

    url: str
    title: str
    named: str = ""
    private: bool = False
    log: Path | None = None
    context: str = ""

    @property
    def advice(self) -> str:
        """What to do when this engine stops answering."""
        if self.private:
            return f"see {self.log}; then run the same command again, finished stages are kept"
        if self.named:
            return f"start that engine or unset {self.named}; then run the same command again"
        return (
            "start it again (systemctl start docker, or podman.socket); "
            "then run the same command again, finished stages are kept"
        )


def named_endpoint() -> Endpoint | None:
    """The engine that DOCKER_HOST or the current Docker context names, in Docker's own order."""
    if host := os.environ.get("DOCKER_HOST"):
        return Endpoint(host, f"the engine at {host}", named="DOCKER_HOST")

    wanted = os.environ.get("DOCKER_CONTEXT", "")
    try:
        context = ContextAPI.get_context(wanted or None)
    except (DockerException, OSError, ValueError, KeyError) as error:
        raise _bad_context(wanted, str(error)) from error
    if context is None:
        raise _bad_context(wanted, "there is no such context")
    if context.Name == "default":
        return None
    url = str(context.Host)
    named = "DOCKER_CONTEXT" if wanted else "the context (docker context use default)"
    title = f"the engine of Docker context {context.Name}"
    return Endpoint(url, title, named=named, context=str(context.Name))


def _bad_context(name: str, cause: str) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"the current Docker context {name} cannot be read".replace("  ", " "),
        cause,
        "choose another with `docker context use default`, or set DOCKER_HOST",
    )


def usual_endpoints() -> Iterator[Endpoint]:
    """Sockets at the places where Docker and Podman put them, if something is there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    own = Path(runtime) if runtime else None
    places = [("Docker", Path("/var/run/docker.sock"))]
    if own:
        places += [("rootless Docker", own / "docker.sock")]
        places += [("Podman", own / "podman/podman.sock")]
    places += [("Podman", Path("/run/podman/podman.sock"))]
    for title, path in places:
        if path.is_socket() and os.access(path, os.W_OK):
            yield Endpoint(f"unix://{path}", f"{title} at {path}")


def _tls(context: str) -> TLSConfig | bool:
    if os.environ.get("DOCKER_TLS_VERIFY") and not context:
        settings: TLSConfig | bool = kwargs_from_env().get("tls", False)
        return settings
    if context:
        found = ContextAPI.get_context(context)
        return (found.TLSConfig if found else None) or False
    return False


def open_client(endpoint: Endpoint, version: str = "auto") -> APIClient:
    """A client of the engine at ``endpoint``.

    ``version``: the API version agreed on before, which saves asking again.  Raises
    whatever the SDK raises when nothing answers; see ``ask``.
    """
    over_ssh = endpoint.url.startswith("ssh://")
    return APIClient(
        endpoint.url,
        version=version,
        timeout=ASK_SECONDS if version == "auto" else WORK_SECONDS,
        tls=_tls(endpoint.context),
        use_ssh_client=over_ssh,
    )


def ask(endpoint: Endpoint) -> str:
    """The API version to speak with the engine at ``endpoint``.

    Raises EnvironmentFailure if nothing answers there or it is too old.
    """
    try:
        client = open_client(endpoint)
        try:
            version = str(client.api_version)
            client.ping()
        finally:
            client.close()
    except InvalidVersion as error:
        raise _too_old(endpoint, str(error)) from error
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise EnvironmentFailure(
            f"{endpoint.title} does not answer", str(error), endpoint.advice
        ) from error
    if tuple(int(part) for part in version.split(".")) < OLDEST_API:
        raise _too_old(endpoint, f"it speaks version {version} of Docker's API")
    return version


def _too_old(endpoint: Endpoint, cause: str) -> EnvironmentFailure:
    wanted = ".".join(str(part) for part in OLDEST_API)
    return EnvironmentFailure(
        f"{endpoint.title} is too old",
        f"{cause}; {wanted} is needed (Docker 19.03 or Podman 3)",
        "update that engine, or stop it and run as root with Debian's docker.io installed: "
        "the builder then starts an engine of its own",
    )
