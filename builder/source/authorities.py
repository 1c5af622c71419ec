"""Which certificate authorities to trust: the environment's bundle, else the system's store.

By itself, Requests uses its own list, which has no authority that a company added to its machines,
and it ignores SSL_CERT_FILE and SSL_CERT_DIR (OpenSSL's SSL_CTX_load_verify_locations(3)).
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from builder.source.limit import LocationFailed

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The first that is set decides; an empty one is as if it were not set."""


@dataclass(frozen=True)
class Authorities:
    """A file or folder of certificates, None for the library's own; ``origin``: who named it."""

    path: str | None
    origin: str

    @property
    def verify(self) -> str | bool:
        """The same as Requests wants it."""
        return self.path or True

    def __str__(self) -> str:
        return f"authorities: {self.origin}"


def find() -> Authorities:
    """Raises LocationFailed if a variable's path does not exist or has no certificates."""
    for variable in VARIABLES:
        value = os.environ.get(variable)
        if value:
            _require(variable, value)
            return Authorities(value, f"{value} of {variable}")
    return _system()


def _require(variable: str, value: str) -> None:
    path = Path(value)
    if not path.exists():
        raise LocationFailed(f"{variable} names {value}, which does not exist")
    if path.is_dir():
        return
    try:
        ssl.create_default_context(cafile=value)
    except OSError as error:  # ssl.SSLError is one
        raise LocationFailed(f"{variable} names {value}, which is not a bundle: {error}") from error


def _system() -> Authorities:
    known = ssl.get_default_verify_paths()
    if known.cafile is not None:
        return Authorities(known.cafile, "the system's store")
    # Names of certificates in a store are hashes with a number (openssl-rehash(1)).
    if known.capath is not None and any(Path(known.capath).glob("*.[0-9]")):
        return Authorities(known.capath, "the system's store")
    return Authorities(None, "the Python library's list")
