"""Errors of Docker and of the connection, translated into the builder's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound

from builder.engine.location import Endpoint
from builder.errors import EnvironmentFailure
from builder.host.space import tells_full


@contextmanager
def translated(endpoint: Endpoint, log: Path | None = None) -> Iterator[None]:
    """Turn the SDK's exceptions into EnvironmentFailure."""
    try:
        yield
    except ImageNotFound as error:
        raise EnvironmentFailure(
            f"{endpoint.title} lost an image",
            _words(error),
            "run the command again: the image is made again from the cache",
            log=log,
        ) from error
    except APIError as error:
        raise EnvironmentFailure(
            f"{endpoint.title} refused", _words(error), _hint(endpoint, _words(error)), log=log
        ) from error
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        DockerException,
    ) as error:
        raise EnvironmentFailure(
            f"{endpoint.title} went away", str(error), endpoint.advice, log=endpoint.log or log
        ) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)


def _hint(endpoint: Endpoint, words: str) -> str:
    if tells_full(words):
        return "free space where the engine keeps its data, then run again"
    if "bind source path does not exist" in words:
        return (
            "the engine does not see this host's files; use one on this host "
            "(unset DOCKER_HOST, or `docker context use default`)"
        )
    return f"see {endpoint.log}" if endpoint.log else "run `invoke doctor`"
