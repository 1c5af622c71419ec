"""Where an engine may be: what the user named, or the places where engines usually listen."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from docker import APIClient
from docker.errors import DockerException, InvalidVersion
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from builder.engine import contexts
from builder.engine.contexts import Context
from builder.errors import EnvironmentFailure

# 1.40 (Docker 19.03) is the first with everything used here; Podman's service speaks 1.40 too.
OLDEST_API = (1, 40)
ASK_SECONDS = 20
WORK_SECONDS = 300
SCHEMES = ("unix", "http+unix", "tcp", "http", "https")  # that this program speaks itself
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_ENVIRONMENT = threading.Lock()


@dataclass(frozen=True)
class Endpoint:
    """An address of an engine.

    ``named``: how the user chose it; empty for a usual place.
    ``private``: started by the builder; ``log``: what it writes.
    """

    url: str
    title: str
    named: str = ""
    private: bool = False
    log: Path | None = None
    context: Context | None = None

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

    context = contexts.current()
    if context is None:
        return None
    by = "DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "the context"
    named = by if by.isupper() else f"{by} (docker context use default)"
    return Endpoint(
        context.host, f"the engine of Docker context {context.name}", named=named, context=context
    )


def usual_endpoints() -> Iterator[Endpoint]:
    """The sockets that exist at Docker's and Podman's usual places."""
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


def _tls(context: Context | None) -> TLSConfig | bool:
    if context is None:
        settings: TLSConfig | bool = False
        if os.environ.get("DOCKER_TLS_VERIFY"):
            settings = kwargs_from_env().get("tls", False)
        return settings
    if context.certificates is None:
        return False
    names = ("ca.pem", "cert.pem", "key.pem")
    ca, cert, key = (str(context.certificates / name) for name in names)
    own = (cert, key) if Path(cert).is_file() and Path(key).is_file() else None
    return TLSConfig(own, ca if Path(ca).is_file() else None, verify=context.verify)


def open_client(endpoint: Endpoint, version: str = "auto") -> APIClient:
    """A client of the engine at ``endpoint``.

    ``version``: the API version negotiated before, which saves a request.  Raises
    whatever the SDK raises when nothing answers; see ``ask``.
    """
    with _sound_configuration():
        return APIClient(
            endpoint.url,
            version=version,
            timeout=ASK_SECONDS if version == "auto" else WORK_SECONDS,
            tls=_tls(endpoint.context),
        )


@contextmanager
def _sound_configuration() -> Iterator[None]:
    """Hide a ``config.json`` that the SDK cannot read; nothing in it is needed.

    The SDK reads it for registries and proxies, and finds it only through the environment.
    """
    if not contexts.config_fault():
        yield
        return
    with _ENVIRONMENT, tempfile.TemporaryDirectory() as empty:
        before = os.environ.get("DOCKER_CONFIG")
        os.environ["DOCKER_CONFIG"] = empty
        try:
            yield
        finally:
            os.environ.pop("DOCKER_CONFIG")
            if before is not None:
                os.environ["DOCKER_CONFIG"] = before


def ask(endpoint: Endpoint) -> str:
    """The API version to speak with the engine at ``endpoint``.

    Raises EnvironmentFailure if nothing answers there or it is too old.
    """
    _require_spoken(endpoint)
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
            f"{endpoint.title} does not answer", _innermost(error), endpoint.advice
        ) from error
    if tuple(int(part) for part in version.split(".")) < OLDEST_API:
        raise _too_old(endpoint, f"it speaks version {version} of Docker's API")
    return version


def _require_spoken(endpoint: Endpoint) -> None:
    """Refuse an engine over ssh: builds mount this host's folders, which it does not see."""
    found = _SCHEME.match(endpoint.url.strip())
    if found and found[1].lower() not in SCHEMES:
        raise EnvironmentFailure(
            f"{endpoint.title} cannot be used",
            f"builds need an engine on this host: {found[1]}:// is none of "
            f"{', '.join(f'{one}://' for one in SCHEMES)}",
            f"unset {endpoint.named} to use this host's engine; or run this command over there",
        )


def _innermost(error: BaseException) -> str:
    """The reason inside the layers that Docker's SDK, Requests and urllib3 wrap around it."""
    reason = error
    while isinstance(inner := reason.__cause__ or reason.__context__, BaseException):
        reason = inner
    return str(reason) or str(error)


def _too_old(endpoint: Endpoint, cause: str) -> EnvironmentFailure:
    wanted = ".".join(str(part) for part in OLDEST_API)
    return EnvironmentFailure(
        f"{endpoint.title} is too old",
        f"{cause}; {wanted} is needed (Docker 19.03 or Podman 3)",
        "update that engine, or stop it and run as root with Debian's docker.io installed: "
        "the builder then starts an engine of its own",
    )
