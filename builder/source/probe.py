"""Asks whether a location answers, without taking anything from it."""

from __future__ import annotations

import ftplib
from pathlib import Path
from urllib.parse import urlsplit

from builder.host import process

SECONDS = 10.0


def probe(url: str, project: Path) -> str:
    """What a location answers, in a word; raises OSError if it does not.

    Packages are asked of the host's own lists, which a fresh host does not have yet.
    """
    scheme = url.partition(":")[0]
    if scheme in ("apt", "apt-source"):
        return _package(url.partition(":")[2])
    if scheme == "file":
        path = project / url.partition(":")[2]
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        return "is there"
    if scheme == "ftp":
        with ftplib.FTP(urlsplit(url).hostname or "", timeout=SECONDS) as server:  # noqa: S321
            return server.getwelcome().splitlines()[0]
    return _web(url)


def _package(words: str) -> str:
    name = words.partition("=")[0]
    asked = process.run(["apt-cache", "policy", name], timeout=SECONDS)
    found = [line.strip() for line in asked.text.splitlines() if "Candidate:" in line]
    if not found:
        return "not in the host's lists; the builder refreshes lists of its own"
    return found[0]


def _web(url: str) -> str:
    import requests  # noqa: PLC0415 - slow to import

    try:
        answer = requests.head(url, timeout=SECONDS, allow_redirects=True)
    except requests.RequestException as error:
        raise OSError(str(error)) from error
    if not answer.ok:
        raise OSError(f"HTTP {answer.status_code} {answer.reason}")
    return f"HTTP {answer.status_code}"
