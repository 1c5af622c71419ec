"""Throw-away Ed25519 keys, made by ssh-keygen."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from builder.remote.keys import AcceptedKey


@dataclass(frozen=True)
class KeyPair:
    """``path``: of the private key.  ``line``: of the public key."""

    path: Path
    line: str

    @property
    def accepted(self) -> AcceptedKey:
        return AcceptedKey.parse(self.line)


def make(folder: Path, name: str = "ci", kind: str = "ed25519", passphrase: str = "") -> KeyPair:
    """A new key; one of RSA is as small as ssh-keygen makes it, to be made quickly."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(path)]
    command += ["-b", "1024"] if kind == "rsa" else []
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return KeyPair(path, path.with_name(f"{name}.pub").read_text().strip())
