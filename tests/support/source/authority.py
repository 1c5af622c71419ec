"""A throw-away authority of certificates, and a server that it vouches for."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A throw-away authority, a server's context that it vouches for, and another authority."""

    certificate: Path
    server: ssl.SSLContext
    stranger: Path


def openssl(folder: Path, *words: str) -> None:
    argv = ["openssl", *words]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def make(folder: Path) -> Authority:
    """Keys and certificates in a new folder."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    # RFC 5280, 4.2.1.3; Python 3.13 insists on it.
    usage = ("-addext", "keyUsage=critical,keyCertSign")
    for name in ("ca", "stranger"):
        words = ("-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key")
        openssl(folder, *new, *words, *usage, "-out", f"{name}.pem")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    made = ("-subj", "/CN=web", "-days", "2", "-keyout", "web.key", "-out", "web.pem")
    openssl(folder, *new, *made, *signed, *leaf)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "web.pem", folder / "web.key")
    return Authority(folder / "ca.pem", context, folder / "stranger.pem")
