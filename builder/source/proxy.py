"""The proxy that the environment names for an address, judged before it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from builder.shown import without_secrets
from builder.source.limit import LocationFailed

_PORTS = {"http": 80, "https": 443}
_SOCKS = "socks"


@dataclass(frozen=True)
class Proxy:
    """Where to connect to in a server's place, and the variable that says so."""

    host: str
    port: int
    variable: str


def find(url: str) -> Proxy | None:
    """The proxy for a web address, None if there is none.

    Raises LocationFailed that names the variable if its value is not a proxy's address.
    """
    value = select_proxy(url, get_environ_proxies(url))
    if not value:
        return None
    variable = _variable(urlsplit(url).scheme, value)
    if value.lower().startswith(_SOCKS):
        raise LocationFailed(f"{variable}: proxies of kind SOCKS are not supported")
    try:
        place = urlsplit(value if "://" in value else f"http://{value}")
        host, port = place.hostname, place.port
    except ValueError as error:
        raise _refuse(variable, value, str(error)) from error
    if place.scheme not in _PORTS:
        raise _refuse(variable, value, f"its scheme is {place.scheme!r}, not http or https")
    if not host or port == 0 or place.path.startswith("//") or _is_odd(value):
        raise _refuse(variable, value, "it is not of the form http://HOST:PORT")
    return Proxy(host, port or _PORTS[place.scheme], variable)


def _is_odd(value: str) -> bool:
    return any(one.isspace() or not one.isprintable() for one in value)


def _variable(scheme: str, value: str) -> str:
    """The variable that has this value; requests also takes a system's own settings."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name) == value), f"{scheme}_proxy")


def _refuse(variable: str, value: str, why: str) -> LocationFailed:
    return LocationFailed(f"{variable} names no proxy: {without_secrets(value)!r} ({why})")
