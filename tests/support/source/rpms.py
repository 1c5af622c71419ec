"""Small source RPMs for the signature tests: built, signed and spoilt in every way.

rpmsign of today can no longer make what rpm made in 2012, a version 3 signature of SHA-1 over
header and payload, so signature headers are also written here, from rpm's description of them.
"""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.archive import rpm
from tests.support.el6.signing import Key

NAME = "kernel-2.6.32-220.23.1.el6.src.rpm"
HEADER_TAG, WHOLE_TAG = 268, 1002  # RSAHEADER, SIGPGP
_SPEC = """\
Name: kernel
Version: 2.6.32
Release: {release}
Summary: x
License: GPLv2
Source0: linux.tar
%description
x
"""
# RFC 4880, 5.2.2: the DER prefix of a SHA-1 digest in PKCS #1
_SHA1_PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")


def build(folder: Path, release: str = "220.23.1.el6", payload: str = "w6.gzdio") -> Path:
    """An unsigned source RPM."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "linux.tar").write_bytes(bytes(range(256)) * 64)
    (folder / "kernel.spec").write_text(_SPEC.format(release=release))
    argv = ["rpmbuild", "-bs", "--quiet", "--nodeps", "--define", f"_source_payload {payload}"]
    for macro in ("_sourcedir", "_srcrpmdir", "_topdir"):
        argv += ["--define", f"{macro} {folder}"]
    subprocess.run([*argv, str(folder / "kernel.spec")], check=True, capture_output=True)
    return folder / f"kernel-2.6.32-{release}.src.rpm"


def sign(path: Path, key: Key, *options: str) -> Path:
    """Sign as rpmsign does by default: the header, in which a digest of the payload is."""
    words = ["rpmsign", "--addsign", *options, "--define", "__gpg /usr/bin/gpg"]
    words += ["--define", f"_gpg_name {key.name}", "--define", f"_gpg_path {key.home}"]
    subprocess.run([*words, str(path)], check=True, capture_output=True)
    return path


def detach(key: Key, data: bytes, *options: str) -> bytes:
    """A version 4 signature of ``data``."""
    argv = ["gpg", "--homedir", str(key.home), "--batch", "--quiet", *options]
    argv += ["--local-user", key.name, "--detach-sign"]
    return subprocess.run(argv, input=data, check=True, capture_output=True).stdout


@dataclass(frozen=True)
class _Secret:
    """An RSA key's numbers."""

    modulus: int
    exponent: int

    @staticmethod
    def of(key: Key) -> _Secret:
        """Out of an unprotected key, as gpg exports it (RFC 4880, 5.5.3)."""
        argv = ["gpg", "--homedir", str(key.home), "--batch", "--export-secret-keys", key.name]
        data = subprocess.run(argv, check=True, capture_output=True).stdout
        at = 3 + 6  # packet header; version, time, algorithm
        modulus, at = _mpi(data, at)
        _, at = _mpi(data, at)
        assert data[at] == 0, "the key is protected"
        return _Secret(modulus, _mpi(data, at + 1)[0])


def _mpi(data: bytes, at: int) -> tuple[int, int]:
    size = (int.from_bytes(data[at : at + 2], "big") + 7) // 8
    return int.from_bytes(data[at + 2 : at + 2 + size], "big"), at + 2 + size


def detach_v3(key: Key, data: bytes, moment: int) -> bytes:
    """A version 3 RSA/SHA-1 signature of ``data``, made at ``moment`` (RFC 4880, 5.2.2)."""
    secret = _Secret.of(key)
    hashed = b"\0" + struct.pack(">I", moment)
    digest = hashlib.sha1(data + hashed, usedforsecurity=False).digest()
    size = (secret.modulus.bit_length() + 7) // 8
    tail = b"\0" + _SHA1_PREFIX + digest
    padded = b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail
    number = pow(int.from_bytes(padded, "big"), secret.exponent, secret.modulus)
    mpi = struct.pack(">H", number.bit_length()) + number.to_bytes(
        (number.bit_length() + 7) // 8, "big"
    )
    body = b"\3\5" + hashed + bytes.fromhex(key.fingerprint[-16:]) + b"\1\2" + digest[:2] + mpi
    return b"\x89" + struct.pack(">H", len(body)) + body


def parts(path: Path) -> tuple[bytes, bytes]:
    """Header and payload."""
    package, data = rpm.read(path), path.read_bytes()
    return data[package.header.start : package.header.end], data[package.payload :]


def write(path: Path, signatures: Mapping[int, bytes], header: bytes, payload: bytes) -> Path:
    """An RPM of these parts with a signature header as rpm 4.8 wrote it."""
    whole = header + payload
    entries: dict[int, tuple[int, int, bytes]] = {
        tag: (7, len(data), data) for tag, data in signatures.items()
    }
    entries[269] = (6, 1, hashlib.sha1(header, usedforsecurity=False).hexdigest().encode() + b"\0")
    entries[1000] = (4, 1, struct.pack(">I", len(whole)))
    entries[1004] = (7, 16, hashlib.md5(whole, usedforsecurity=False).digest())
    index, store = b"", b""
    for tag in sorted(entries):
        kind, count, data = entries[tag]
        store += bytes(-len(store) % (4 if kind == 4 else 1))
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += data
    size = len(index) + 16
    region = struct.pack(">IIII", 62, 7, len(store), 16)
    store += struct.pack(">IIiI", 62, 7, -size, 16)
    intro = b"\x8e\xad\xe8\1\0\0\0\0" + struct.pack(">II", len(entries) + 1, len(store))
    signature = intro + region + index + store
    signature += bytes(-len(signature) % 8)
    lead = b"\xed\xab\xee\xdb\3\0\0\1\0\1" + b"kernel".ljust(66, b"\0") + b"\0\1\0\5" + bytes(16)
    path.write_bytes(lead + signature + whole)
    return path


def sign_as_in_2012(path: Path, key: Key, moment: int) -> Path:
    """Sign header, and header and payload, with version 3 RSA/SHA-1."""
    header, payload = parts(path)
    signatures = {
        HEADER_TAG: detach_v3(key, header, moment),
        WHOLE_TAG: detach_v3(key, header + payload, moment),
    }
    return write(path, signatures, header, payload)


def without_payload_digest(header: bytes) -> bytes:
    """The header with the tags of the payload's digests renamed, as before rpm 4.14."""
    count = struct.unpack_from(">I", header, 8)[0]
    index = header[16 : 16 + 16 * count]
    changed = re.sub(rb"\x00\x00\x13\xe4(?=\x00\x00\x00\x08)", b"\x00\x00\x23\xe4", index)
    assert changed != index
    return header[:16] + changed + header[16 + 16 * count :]
