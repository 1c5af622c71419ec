"""Public keys are read as OpenSSH writes them, and nothing else is taken for one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.remote.keys import AcceptedKey
from tests.support.remote import keys


def test_a_key_has_ssh_keygens_fingerprint(tmp_path: Path) -> None:
    pair = keys.make(tmp_path)
    command = ["ssh-keygen", "-l", "-f", str(pair.path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert pair.accepted.fingerprint == told.split()[1]
    assert pair.accepted.name == "ci"


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_key_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="only ssh-ed25519 is"):
        AcceptedKey.parse(keys.make(tmp_path, kind=kind).line)


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_part_of_a_key_is_refused(tmp_path: Path, cut: int) -> None:
    kind, text, name = keys.make(tmp_path).line.split()
    with pytest.raises(ValueError, match="not a whole Ed25519 key"):
        AcceptedKey.parse(f"{kind} {text[:-cut]} {name}")
