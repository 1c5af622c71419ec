"""Ed25519 keys of OpenSSH: whose entries are used."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from builder import names

KIND = "ssh-ed25519"
# RFC 8709, 4: the kind as a string, then the 32 bytes of the key as another (RFC 4251, 5).
_HEAD = b"\0\0\0\x0b" + KIND.encode() + b"\0\0\0\x20"
_LENGTH = len(_HEAD) + 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,63}", re.ASCII)
FORM = f"{KIND} BASE64 NAME, as in a file id_ed25519.pub"


@dataclass(frozen=True)
class AcceptedKey:
    """A public key.  ``name``: whose it is, for reports.  ``text``: it in Base64."""

    name: str
    text: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """A line of a public key file.  Raises ValueError that says what is wrong with it."""
        words = line.split()
        if len(words) < 3:
            raise ValueError(f"{names.shown(line)} is not of the form {FORM}")
        kind, text, name = words[0], words[1], words[2]
        if kind != KIND:
            raise ValueError(f"a key of kind {names.shown(kind)} is not used: only {KIND} is")
        if len(words) > 3 or not _NAME.fullmatch(name):
            shown = names.shown(" ".join(words[2:]))
            raise ValueError(f"{shown} is not a key's name: letters, digits and @ . _ + - only")
        if not _is_key(text):
            raise ValueError(f"the key of {name} is not a whole Ed25519 key")
        return cls(name, text)

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen(1) shows it: ``SHA256:`` and 43 characters."""
        made = hashlib.sha256(base64.b64decode(self.text)).digest()
        return f"SHA256:{base64.b64encode(made).decode().rstrip('=')}"


def _is_key(text: str) -> bool:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return len(data) == _LENGTH and data.startswith(_HEAD)
