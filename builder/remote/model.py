"""The store of a team's finished stages, as it was configured."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from builder.remote.keys import AcceptedKey
from builder.values import url_fault

if TYPE_CHECKING:  # slow to load
    from requests import PreparedRequest

SCHEMES = ("https", "http")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1", re.ASCII)
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


@dataclass(frozen=True)
class Password:
    """What the store asks for: ``USER:PASSWORD`` (RFC 7617), or a token (RFC 6750).

    A token has no colon, so that the two differ.  Called with a request, it authenticates that.
    """

    text: str = field(repr=False)

    @property
    def fault(self) -> str:
        """What is wrong with it, without quoting it; empty if nothing is."""
        if not self.text.isprintable() or not self.text.isascii() or not self.text:
            return "it is not one line of printable ASCII characters"
        if ":" in self.text or _BEARER.fullmatch(self.text):
            return ""
        return "it is neither USER:PASSWORD nor a token (RFC 6750, 2.1)"

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return "user and password" if ":" in self.text else "token"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a peer may send back, and nobody may be shown; the longest first."""
        header = self._header.partition(" ")[2]
        found = {self.text, self.text.partition(":")[2], header}
        return tuple(sorted(filter(None, found), key=len, reverse=True))

    @property
    def _header(self) -> str:
        if ":" not in self.text:
            return f"Bearer {self.text}"
        return f"Basic {base64.b64encode(self.text.encode()).decode()}"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


@dataclass(frozen=True)
class HttpStore:
    """Where requests go.  ``what``: its name, for people.  ``url``: ends with a slash."""

    what: str
    url: str
    password: Password | None = None


@dataclass(frozen=True)
class StageStore:
    """``url``: ends with a slash.  ``accept``: whose entries are used.  ``sign``: the private key
    for the entries of this machine, None if it pushes none."""

    url: str
    accept: tuple[AcceptedKey, ...] = ()
    sign: Path | None = None
    password: Password | None = None

    @property
    def pushes(self) -> bool:
        """Whether this machine's finished stages are pushed."""
        return self.sign is not None

    @property
    def http(self) -> HttpStore:
        """Where its requests go."""
        return HttpStore("the stage store", self.url, self.password)


def fault_of(url: str, schemes: tuple[str, ...]) -> str:
    """What is wrong with the address of a store; empty if nothing is.  It quotes no secret."""
    fault = url_fault(url, schemes)
    if fault:
        return fault
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return "it has a user or a password in it, which belong into token-file"
    if "?" in url or "#" in url:
        return "it has a query or a fragment"
    return ""


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there: TLS, or this machine alone."""
    parts = urlsplit(url)
    if parts.scheme in ("https", "rediss"):
        return True
    return bool(_LOOPBACK.fullmatch(parts.hostname or "")) and not _has_proxy(url)


def _has_proxy(url: str) -> bool:
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - slow to load

    return bool(select_proxy(url, get_environ_proxies(url)))
