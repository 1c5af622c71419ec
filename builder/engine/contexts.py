"""Docker's contexts: the engine that ``docker context use`` or DOCKER_CONTEXT selects.

The files are those of Docker's command line (cli/context/store): ``config.json`` names the current
context, ``contexts/meta/<SHA-256 of its name>/meta.json`` has its endpoints, and
``contexts/tls/<the same>/docker/`` its certificates.  The SDK's own reader raises arbitrary
exceptions for a file that is not as it expects.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.digest import decode
from builder.errors import EnvironmentFailure

DEFAULT = "default"
_HINT = "choose another with `docker context use default`, or set DOCKER_HOST"


class _Config(msgspec.Struct):
    currentContext: str = ""  # noqa: N815 - Docker's names


class _Endpoint(msgspec.Struct):
    Host: str = ""
    SkipTLSVerify: bool = False


class _Endpoints(msgspec.Struct):
    docker: _Endpoint = msgspec.field(default_factory=_Endpoint)


class _Meta(msgspec.Struct):
    Endpoints: _Endpoints = msgspec.field(default_factory=_Endpoints)


@dataclass(frozen=True)
class Context:
    """A named engine.  ``certificates``: the folder of its PEM files, None if it has none."""

    name: str
    host: str
    verify: bool
    certificates: Path | None


def folder() -> Path:
    """Where Docker's command line keeps its configuration."""
    named = os.environ.get("DOCKER_CONFIG")
    return Path(named) if named else Path("~/.docker").expanduser()


def config_fault() -> str:
    """Why ``config.json`` cannot be read; empty if it can or is missing.

    Docker's command line warns about such a file and treats it as empty, and so do we.
    """
    try:
        _read_config()
    except (OSError, msgspec.DecodeError) as error:
        return f"{folder() / 'config.json'}: {error}"
    return ""


def current() -> Context | None:
    """The context in use, None if that is the default one.

    Raises EnvironmentFailure if it does not exist, cannot be read or has no endpoint.
    """
    name = os.environ.get("DOCKER_CONTEXT", "")
    if not name and not config_fault():
        name = _read_config().currentContext
    return None if name in ("", DEFAULT) else _read(name)


def _read_config() -> _Config:
    try:
        return decode((folder() / "config.json").read_bytes(), _Config)
    except (FileNotFoundError, NotADirectoryError):
        return _Config()


def _read(name: str) -> Context:
    place = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    path = folder() / "contexts" / "meta" / place / "meta.json"
    try:
        docker = decode(path.read_bytes(), _Meta).Endpoints.docker
    except (FileNotFoundError, NotADirectoryError):
        raise _bad(name, f"there is no such context: {path} does not exist") from None
    except (OSError, msgspec.DecodeError) as error:
        raise _bad(name, f"{path}: {error}") from error
    if not docker.Host:
        raise _bad(name, f"{path} names no endpoint of Docker (Endpoints.docker.Host)")
    keys = folder() / "contexts" / "tls" / place / "docker"
    return Context(name, docker.Host, not docker.SkipTLSVerify, keys if keys.is_dir() else None)


def _bad(name: str, cause: str) -> EnvironmentFailure:
    return EnvironmentFailure(f"the Docker context {name} cannot be used", cause, _HINT)
