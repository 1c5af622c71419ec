"""Images from root file systems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from docker import APIClient
from docker.errors import APIError

from builder.errors import EnvironmentFailure, SourceUnreachable

CHUNK = 1 << 20


def _chunks(tar: Path) -> Iterator[bytes]:
    with tar.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            yield chunk


def import_tar(client: APIClient, tar: Path, tag: str, changes: tuple[str, ...]) -> None:
    """Send the tar; raises EnvironmentFailure if the engine cannot store it (full disk)."""
    repository, _, version = tag.rpartition(":")
    answer = client.import_image_from_data(
        _chunks(tar), repository=repository, tag=version, changes=list(changes) or None
    )
    # The engine says 200 first and reports what went wrong later, one JSON object per line.
    for line in str(answer).splitlines():
        words = json.loads(line).get("error") if line.strip() else None
        if words:
            raise EnvironmentFailure(
                f"the engine could not import {tag}",
                str(words),
                "free space where the engine keeps its data, then run again",
            )


def pull_image(client: APIClient, reference: str) -> None:
    """Fetch an image by digest; raises SourceUnreachable if no registry serves it."""
    try:
        for answer in client.pull(reference, stream=True, decode=True):
            words = answer.get("error")
            if words:
                raise _unserved(reference, str(words))
    except APIError as error:
        raise _unserved(reference, str(error.explanation or error)) from error


def _unserved(reference: str, words: str) -> SourceUnreachable:
    return SourceUnreachable(
        f"image {reference} is not available",
        words,
        "try again, or take `image` out of base.toml: then it is made from packages",
    )
