"""Who made an OpenPGP signature, according to gpgv with exactly the accepted keys.

gpgv accepts signatures of the years when SHA-1 and version 3 were current; a host's crypto policy
or rpm may refuse them.  It knows no other keys than those it is given, and starts no agent.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from builder.errors import UsageError
from builder.host import process, temporary

_BLOCK = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n"
    rb"(?P<body>[A-Za-z0-9+/=\s]+?)\r?\n(?:=[A-Za-z0-9+/]{4}\s+)?-----END PGP PUBLIC KEY BLOCK-----"
)
_SIGNATURE = re.compile(
    rb"^-----BEGIN PGP SIGNATURE-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n"
    rb"(?P<body>[A-Za-z0-9+/=\s]+?)\r?\n(?:=[A-Za-z0-9+/]{4}\s+)?-----END PGP SIGNATURE-----\s*\Z"
)
# RFC 4880, 9.1 and 9.4, and RFC 6637
_CIPHERS = {1: "RSA", 17: "DSA", 19: "ECDSA", 22: "EdDSA"}
_DIGESTS = {1: "MD5", 2: "SHA-1", 3: "RIPEMD-160", 8: "SHA-256", 9: "SHA-384", 10: "SHA-512"}
_OLD = frozenset({"MD5", "SHA-1", "RIPEMD-160"})
_SECONDS = 900.0  # a kernel's tar is decompressed meanwhile


@dataclass(frozen=True)
class Key:
    """An accepted key: its armoured file, and the fingerprint that the file must have."""

    path: Path
    fingerprint: str


@dataclass(frozen=True)
class Signed:
    """A good signature: by whom, made with what, and when (seconds since 1970)."""

    fingerprint: str
    signer: str
    cipher: str
    digest: str
    version: int
    made: int

    @property
    def is_old(self) -> bool:
        """Whether nobody would accept such a signature if it were made today."""
        return self.digest in _OLD or self.version < 4

    def __str__(self) -> str:
        year = datetime.datetime.fromtimestamp(self.made, tz=datetime.UTC).year
        words = f"{self.cipher}/{self.digest} version {self.version} of {year}"
        old = ", old, accepted for this key only" if self.is_old else ""
        return f"{self.signer}, key {self.fingerprint} ({words}{old})"


class BadSignature(Exception):
    """Not a good signature by an accepted key.  ``stranger``: the key that made it, if another."""

    def __init__(self, words: str, stranger: str = "") -> None:
        super().__init__(words)
        self.stranger = stranger


def dearmoured(signature: bytes) -> bytes:
    """A detached signature as it is, or out of its ASCII armour (RFC 4880, 6.2)."""
    found = _SIGNATURE.match(signature)
    try:
        return base64.b64decode(found["body"]) if found else signature
    except binascii.Error:
        return signature


def verify(signature: bytes, signed: IO[bytes], keys: Sequence[Key]) -> Signed:
    """Verify a detached signature of ``signed``, from its position to its end.

    ``signed`` must be a file of the operating system.  Raises BadSignature, UsageError if a key's
    file does not hold that key, EnvironmentFailure if gpgv is missing.
    """
    tool = process.require_tool("gpgv")
    if not _is_one_signature(signature):
        raise BadSignature("it is not a single OpenPGP signature")
    with temporary.folder("gpgv") as folder:
        ring, detached = folder / "keys.gpg", folder / "signature"
        ring.write_bytes(b"".join(_read(key) for key in keys))
        detached.write_bytes(signature)
        options = ["--homedir", str(folder), "--keyring", str(ring), "--status-fd", "1"]
        asked = process.run(
            [tool, *options, str(detached), "-"],
            stdin_file=signed,
            env={"LC_ALL": "C"},
            timeout=_SECONDS,
        )
    return _judge(asked.text, asked.complaint, keys)


def _is_one_signature(data: bytes) -> bool:
    """Whether ``data`` is one signature packet and nothing else; RFC 4880, 4.2.

    gpgv would also read a whole signed message, with bytes of its own.
    """
    if len(data) < 4:
        return False
    if data[0] in (0x88, 0x89, 0x8A):
        width = {0x88: 1, 0x89: 2, 0x8A: 4}[data[0]]
        return len(data) == 1 + width + int.from_bytes(data[1 : 1 + width], "big")
    if data[0] == 0xC2 and data[1] < 192:
        return len(data) == 2 + data[1]
    if data[0] == 0xC2 and data[1] < 224:
        return len(data) == 3 + ((data[1] - 192) << 8) + data[2] + 192
    return False


def _read(key: Key) -> bytes:
    """The one key of an armoured file, as a keyring has it."""
    try:
        found = _BLOCK.search(key.path.read_bytes())
        data = base64.b64decode(found["body"]) if found else b""
    except (OSError, binascii.Error) as error:
        raise _refuse(key, str(error)) from error
    told = _fingerprint(data)
    if told != key.fingerprint:
        raise _refuse(key, f"its key has the fingerprint {told or '(none)'}")
    return data


def _fingerprint(data: bytes) -> str:
    """The fingerprint of the (version 4) key that a keyring begins with; RFC 4880, 12.2."""
    # An old-format public-key packet with a length of two bytes, as GnuPG exports keys.
    if len(data) < 3 or data[0] != 0x99:
        return ""
    end = 3 + int.from_bytes(data[1:3], "big")
    return hashlib.sha1(data[:end], usedforsecurity=False).hexdigest().upper()


def _refuse(key: Key, cause: str) -> UsageError:
    return UsageError(
        f"{key.path.name} does not hold the key {key.fingerprint}",
        cause,
        f"put the right key into {key.path}, or correct the fingerprint in profile.toml",
    )


def _judge(status: str, complaint: str, keys: Sequence[Key]) -> Signed:
    """Read gpgv's status lines (GnuPG's doc/DETAILS)."""
    lines = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    said = {words[0]: words[1:] for words in lines if words}
    valid = said.get("VALIDSIG")
    if valid is None or ("GOODSIG" not in said and "EXPKEYSIG" not in said):
        raise _bad(said, complaint)
    if sum(words[0] == "VALIDSIG" for words in lines) > 1 or "REVKEYSIG" in said:
        raise BadSignature("there are several signatures in one, or its key was revoked")
    primary, made = valid[9], int(valid[2])
    if primary not in {key.fingerprint for key in keys}:
        raise BadSignature(f"it is by key {primary}", primary)
    expired = int(said["KEYEXPIRED"][0]) if "KEYEXPIRED" in said else None
    if "EXPKEYSIG" in said and (expired is None or made > expired):
        raise BadSignature("it was made after its key had expired")
    name = said.get("GOODSIG") or said["EXPKEYSIG"]
    return Signed(
        fingerprint=primary,
        signer=" ".join(name[1:]),
        cipher=_CIPHERS.get(int(valid[6]), f"cipher {valid[6]}"),
        digest=_DIGESTS.get(int(valid[7]), f"digest {valid[7]}"),
        version=int(valid[4]),
        made=made,
    )


def _bad(said: dict[str, list[str]], complaint: str) -> BadSignature:
    if "NO_PUBKEY" in said:
        stranger = said["NO_PUBKEY"][0]
        return BadSignature(f"it is by key {stranger}", stranger)
    if "BADSIG" in said:
        return BadSignature(f"it is by key {said['BADSIG'][0]}, but not of these bytes")
    return BadSignature(complaint)
