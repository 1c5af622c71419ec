"""Whether a source RPM is whole, signed by an accepted key, and the release in its name.

``rpm -K`` returns 0 for an unsigned file, and current policies refuse the signatures of EL6's
years, so the file's own parts are judged here; gpgv verifies OpenPGP itself (``openpgp``).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from builder.archive import rpm
from builder.archive.rpm import RpmPackage
from builder.errors import UsageError, VerificationError
from builder.source import openpgp
from builder.source.model import Source
from builder.source.openpgp import BadSignature, Key, Signed

_CHUNK = 1 << 20  # bytes
_VENDOR = "get it from its vendor, or one of the vendor's mirrors"

# Tags of the signature header (rpm's lib/rpmtag.h): signatures of header and payload together,
# and of the header alone.
_WHOLE = (1002, 1005)  # SIGPGP, SIGGPG
_HEADER = (268, 267)  # RSAHEADER, DSAHEADER
_SIZE, _MD5, _SHA1, _SHA256 = 1000, 1004, 269, 273
_PAYLOAD_DIGESTS = {8: "sha256", 9: "sha384", 10: "sha512"}  # RFC 4880, 9.4


class Unvouched(VerificationError):
    """A whole package that nobody whose key is accepted has signed."""


@dataclass(frozen=True)
class Vouched:
    """A verified package: who signed it, and what the signature covers."""

    package: RpmPackage
    signed: Signed
    covers: str

    def __str__(self) -> str:
        return f"signed by {self.signed}; {self.covers}"


def accepted_keys(source: Source, folder: Path) -> tuple[Key, ...]:
    """The keys that may have signed a source; ``folder`` is the profile's."""
    return tuple(Key(folder / one.key, one.fingerprint) for one in source.signed_by)


def verify(path: Path, file: str, keys: Sequence[Key]) -> Vouched:
    """Verify the RPM at ``path``, whose name must be ``file``, with the accepted keys.

    All digests and signatures in it must hold, and one signature must cover every byte of header
    and payload: directly, or by way of a payload digest in a signed header.

    Raises VerificationError, UsageError if a key's file is wrong, EnvironmentFailure if gpgv is
    missing.
    """
    if not file.endswith(".rpm"):
        raise UsageError(
            f"the signature of {file} cannot be verified",
            "only RPMs carry their signature with them",
            "name the URL of the signature that lies beside it: { url = ..., signature = ... }",
        )
    try:
        package = rpm.read(path)
        signatures = _signatures(package)
        if not signatures:
            cause = f"it must be signed by {_listed(keys)}"
            raise Unvouched(f"{file} is not signed", cause, _VENDOR)
        _check_size(package, file)
        _check_digests(path, package, file)
        signed = _check_signatures(path, package, signatures, keys, file)
        vouched = Vouched(package, signed, _coverage(path, package, signatures, file))
    except VerificationError as error:
        raise _renamed(error, path, file) from error
    if package.file_name != file:
        raise _another_release(package, file)
    return vouched


def _renamed(error: VerificationError, path: Path, file: str) -> VerificationError:
    """The same error with the source's name: in the cache the file has none."""
    return type(error)(error.what.replace(path.name, file), error.cause, error.hint)


def _signatures(package: RpmPackage) -> dict[int, bytes]:
    found = {tag: package.signature.binary(tag) for tag in (*_WHOLE, *_HEADER)}
    return {tag: data for tag, data in found.items() if data}


def _check_size(package: RpmPackage, file: str) -> None:
    expected = package.signature.number(_SIZE)
    found = package.size - package.header.start
    if expected is None or expected == found:
        return
    what = "is cut off" if found < expected else "has bytes after its end"
    cause = f"header and payload have {found} of {expected} bytes"
    raise _refuse(file, what, cause, "fetch it again, from another location if this one stays so")


def _check_digests(path: Path, package: RpmPackage, file: str) -> None:
    """The digests in the signature header prove nothing, but distinguish damage from forgery."""
    header, whole = _hash(path, package)
    told = {
        "SHA-1 of the header": (package.signature.text(_SHA1), header["sha1"]),
        "SHA-256 of the header": (package.signature.text(_SHA256), header["sha256"]),
        "MD5 of header and payload": ((package.signature.binary(_MD5) or b"").hex(), whole),
    }
    for what, (expected, found) in told.items():
        if expected and expected != found:
            cause = f"{what} expected {expected}\n{what} got      {found}"
            raise _refuse(file, "is damaged", cause, "fetch it again")


def _hash(path: Path, package: RpmPackage) -> tuple[dict[str, str], str]:
    """The header's digests by name, and the MD5 of header and payload."""
    whole = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        file.seek(package.header.start)
        header = file.read(package.header.end - package.header.start)
        whole.update(header)
        while data := file.read(_CHUNK):
            whole.update(data)
    names = ("sha1", "sha256")
    return {
        name: hashlib.new(name, header, usedforsecurity=False).hexdigest() for name in names
    }, whole.hexdigest()


def _check_signatures(
    path: Path, package: RpmPackage, signatures: dict[int, bytes], keys: Sequence[Key], file: str
) -> Signed:
    """Each signature must be good and by an accepted key; returns the one that covers most."""
    good: list[Signed] = []
    for tag, data in signatures.items():
        part = "header and payload" if tag in _WHOLE else "the header"
        with _part(path, package, whole=tag in _WHOLE) as signed:
            try:
                good.append(openpgp.verify(data, signed, keys))
            except BadSignature as bad:
                raise _unaccepted(file, part, bad, keys) from bad
    return good[0]


@contextmanager
def _part(path: Path, package: RpmPackage, *, whole: bool) -> Iterator[IO[bytes]]:
    """The bytes that a signature covers, from the position of the file to its end."""
    with path.open("rb", buffering=0) as file:
        file.seek(package.header.start)
        if whole:
            yield file
            return
        with tempfile.TemporaryFile(buffering=0) as header:
            header.write(file.read(package.header.end - package.header.start))
            header.seek(0)
            yield header


def _coverage(path: Path, package: RpmPackage, signatures: dict[int, bytes], file: str) -> str:
    """How a good signature covers the payload."""
    if any(tag in signatures for tag in _WHOLE):
        return "header and payload hold"
    header = package.header
    digest = header.text(rpm.PAYLOAD_DIGEST)
    name = _PAYLOAD_DIGESTS.get(header.number(rpm.PAYLOAD_DIGEST_ALGORITHM) or 0)
    if not header.sealed or not digest or name is None:
        raise _refuse(
            file,
            "is signed in part only",
            "the signature covers the header, and no digest in it covers the payload",
            "get the file from its vendor again; nothing vouches for what is in this one",
        )
    with path.open("rb") as payload:
        payload.seek(package.payload)
        found = hashlib.file_digest(payload, name).hexdigest()
    if found != digest:
        cause = f"{name} of the payload expected {digest}\n{name} of the payload got      {found}"
        raise _refuse(file, "is damaged", cause, "fetch it again")
    return f"the header holds, and by its {name} the payload"


def _unaccepted(file: str, part: str, bad: BadSignature, keys: Sequence[Key]) -> VerificationError:
    what = "is signed by a key that is not accepted" if bad.stranger else "has a bad signature"
    return (Unvouched if bad.stranger else VerificationError)(
        f"{file} {what}",
        f"the signature of {part}: {bad}\naccepted: {_listed(keys)}",
        f"{_VENDOR}; do not build from this one",
    )


def _another_release(package: RpmPackage, file: str) -> VerificationError:
    wanted = file.removesuffix(".rpm").removesuffix(".src")
    return VerificationError(
        f"{file} is a different release than its name says",
        f"its header says {package.file_name.removesuffix('.rpm')}; the patches of this profile "
        f"are for {wanted}",
        f"get {file}, or patches that are for {package.release}",
    )


def _listed(keys: Sequence[Key]) -> str:
    return " or ".join(f"{key.fingerprint} ({key.path.name})" for key in keys)


def _refuse(file: str, what: str, cause: str, hint: str = "") -> VerificationError:
    return VerificationError(f"{file} {what}", cause, hint or _VENDOR)
