"""Signatures over manifests, made and verified by ssh-keygen(1): SSHSIG, PROTOCOL.sshsig."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from builder.host import process
from builder.remote.keys import KIND, AcceptedKey

NAMESPACE = "lvs-fullnat-stage"
"""What these signatures are about: one for anything else does not count."""
_ANYBODY = "stage"  # the one identity of all accepted keys: the key itself says whose it is
_SECONDS = 30.0
# Nobody is asked for a passphrase: the question would come in the middle of a build.
_SILENT = {"SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
_KEY = re.compile(r" key (SHA256:[A-Za-z0-9+/]{43})\s*\Z")


class Unsigned(Exception):
    """There is no good signature of an accepted key.  Its text says why."""


def sign(data: bytes, key: Path) -> bytes:
    """The armoured signature.

    Raises EnvironmentFailure if ssh-keygen is missing, Unsigned if it cannot sign.
    """
    tool = process.require_tool("ssh-keygen")
    command: list[str | Path] = [tool, "-Y", "sign", "-n", NAMESPACE, "-f", key]
    done = process.run(command, stdin=data, env=_SILENT, timeout=_SECONDS)
    if not done.ok:
        raise Unsigned(f"ssh-keygen cannot sign with {key}: {done.complaint}")
    return done.stdout


def verify(
    data: bytes, signature: bytes, accept: Iterable[AcceptedKey], folder: Path
) -> AcceptedKey:
    """The accepted key that has signed ``data``.

    ``folder``: for the files that ssh-keygen reads.  Raises Unsigned, and EnvironmentFailure if
    ssh-keygen is missing.
    """
    tool = process.require_tool("ssh-keygen")
    known = {key.fingerprint: key for key in accept}
    signers, file = folder / "signers", folder / "signature"
    signers.write_text("".join(map(_signer, known.values())), encoding="ascii")
    file.write_bytes(signature)
    command: list[str | Path] = [
        tool,
        "-Y",
        "verify",
        "-f",
        signers,
        "-I",
        _ANYBODY,
        "-n",
        NAMESPACE,
        "-s",
        file,
    ]
    done = process.run(command, stdin=data, env=_SILENT, timeout=_SECONDS)
    if not done.ok:
        raise Unsigned(f"no accepted key has signed it: {done.complaint}")
    found = _KEY.search(done.text)
    if found is None or found[1] not in known:
        raise Unsigned(f"ssh-keygen does not say which key has signed it: {done.text.strip()}")
    return known[found[1]]


def _signer(key: AcceptedKey) -> str:
    """A line of ALLOWED SIGNERS (ssh-keygen(1))."""
    return f'{_ANYBODY} namespaces="{NAMESPACE}" {KIND} {key.text}\n'
