"""Throw-away OpenPGP keys, and RPMs signed with them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """A key pair in a keyring of its own.  ``public``: armoured."""

    home: Path
    name: str
    fingerprint: str
    public: str

    def sign(self, *rpms: Path) -> None:
        """Sign RPMs in place, header and payload."""
        words = ["rpmsign", "--addsign", "--define", "__gpg /usr/bin/gpg"]
        words += ["--define", f"_gpg_name {self.name}", "--define", f"_gpg_path {self.home}"]
        subprocess.run([*words, *map(str, rpms)], check=True, capture_output=True)

    def clearsign(self, text: Path, target: Path) -> None:
        """Write a text with its signature around it (RFC 4880 7)."""
        _gpg(self.home, "--yes", "--output", str(target), "--clearsign", str(text))


def _gpg(home: Path, *words: str) -> str:
    argv = ["gpg", "--homedir", str(home), "--batch", "--quiet", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def throwaway_key(name: str) -> Iterator[Key]:
    """A new RSA key that is forgotten when the block ends."""
    # Short: the agent's socket lies in it, and a socket's path has at most 108 bytes (unix(7)).
    home = Path(tempfile.mkdtemp(prefix="k"))
    try:
        _gpg(home, "--passphrase", "", "--quick-generate-key", name, "rsa2048", "sign", "never")
        listed = _gpg(home, "--with-colons", "--fingerprint", name).splitlines()
        (fingerprint,) = [line.split(":")[9] for line in listed if line.startswith("fpr:")]
        yield Key(home, name, fingerprint, _gpg(home, "--armor", "--export", name))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        # Not shutil.rmtree: it gives up when the agent takes its sockets away meanwhile.
        subprocess.run(["rm", "-rf", home], check=True)
