"""A recording's folder: sealed when it is written, checked against its seal when it is read.

It has ``recording.json``, ``captures/HOST-LINK.pcapng`` and ``consoles/HOST.log``, and
``recording.sha256``, which lists all of these as sha256sum(1) does.  A verdict and a page may be
beside them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from builder import digest, names
from builder.digest import Digest
from builder.errors import UsageError, VerificationError
from builder.lab.oracle.rows import ROWS
from builder.lab.recording import FORMAT, Recording

FILE = "recording.json"
SEAL = "recording.sha256"
CAPTURES, CONSOLES = "captures", "consoles"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_AGAIN = "record it again: invoke lab --scenario {name} --again"


class _Format(msgspec.Struct):
    """The part of a recording that is read before anything else."""

    format: int


def capture(folder: Path, place: str) -> Path:
    """The capture of one host's end of a link."""
    return folder / CAPTURES / f"{place}.pcapng"


def write(recording: Recording, folder: Path) -> None:
    """Write ``recording.json`` beside the captures and consoles, and seal all of them."""
    (folder / FILE).write_bytes(digest.encode(recording) + b"\n")
    lines = [f"{digest.of_file(folder / path)}  {path}\n" for path in sorted(_contents(folder))]
    (folder / SEAL).write_text("".join(lines), encoding="utf-8")


def seal_of(folder: Path) -> Digest:
    """The digest of the seal: one for all that was recorded."""
    return digest.of_file(folder / SEAL)


def read(folder: Path) -> Recording:
    """The recording in a folder, complete and unchanged.

    Raises UsageError if it is not a recording or is of a newer version, and VerificationError if it
    has changed or is incomplete.
    """
    recording = _decoded(folder)
    for fault in _faults(folder, recording):
        raise VerificationError(
            f"the recording in {folder} is not as it was made",
            fault,
            _AGAIN.format(name=recording.scenario.name),
        )
    return recording


def _contents(folder: Path) -> Iterator[str]:
    yield FILE
    for part in (CAPTURES, CONSOLES):
        for path in (folder / part).glob("*"):
            yield f"{part}/{path.name}"


def _decoded(folder: Path) -> Recording:
    data = _bytes(folder)
    try:
        found = digest.decode(data, _Format).format
    except msgspec.DecodeError as error:
        raise _unreadable(folder, str(error)) from None
    if found > FORMAT:
        raise UsageError(
            f"the recording in {folder} is of a newer version",
            f"its format is {found}, and this program reads up to {FORMAT}",
            "judge it with the version that recorded it, or a newer one",
        )
    try:
        return digest.decode(data, Recording)
    except msgspec.DecodeError as error:
        raise _unreadable(folder, str(error)) from None


def _bytes(folder: Path) -> bytes:
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {names.shown(str(folder))}",
            "--judge takes the folder of a recording",
            "recordings lie in artifacts/PROFILE/lab/SCENARIO after: invoke lab",
        )
    if not (folder / FILE).is_file():  # reading a pipe would block
        raise UsageError(
            f"there is no recording in {folder}",
            f"there is no file {FILE}: the experiment did not finish, or is of an earlier version",
            "recordings lie in artifacts/PROFILE/lab/SCENARIO after: invoke lab",
        )
    return (folder / FILE).read_bytes()


def _unreadable(folder: Path, cause: str) -> VerificationError:
    return VerificationError(
        f"{folder / FILE} cannot be read",
        cause,
        f"compare it with its seal: cd {shlex.quote(str(folder))} && sha256sum -c {SEAL}",
    )


def _faults(folder: Path, recording: Recording) -> Iterator[str]:
    """What is wrong: files that differ from the seal, and contradictions in the recording."""
    try:
        sealed = _sealed(folder)
    except (OSError, ValueError) as error:
        yield f"{SEAL}: {error}"
        return
    for path in (FILE, *(f"{CAPTURES}/{place}.pcapng" for place in recording.places)):
        if path not in sealed:
            yield f"{path} is not listed in {SEAL}"
    for path, wanted in sealed.items():
        yield from _file_faults(folder / path, path, wanted)
    for path in sorted(set(_contents(folder)) - sealed.keys()):
        yield f"{path} was added"
    yield from _inner_faults(recording)


def _sealed(folder: Path) -> dict[str, Digest]:
    """Digests by path.  Raises ValueError if the list is missing or malformed."""
    if not (folder / SEAL).is_file():
        raise ValueError("there is no such file")
    found: dict[str, Digest] = {}
    for line in (folder / SEAL).read_text(encoding="utf-8").splitlines():
        entry = _LINE.fullmatch(line)
        if entry is None or entry[2].startswith("/") or ".." in entry[2].split("/"):
            raise ValueError(f"no line of sha256sum: {names.shown(line)}")
        found[entry[2]] = Digest(entry[1])
    return found


def _file_faults(file: Path, path: str, wanted: Digest) -> Iterator[str]:
    if not file.is_file():
        yield f"{path} is missing" if not file.exists() else f"{path} is not a file"
    elif digest.of_file(file) != wanted:
        yield f"{path} has changed ({file.stat().st_size} bytes now)"


def _inner_faults(recording: Recording) -> Iterator[str]:
    """Faults that would stop a judge."""
    if not recording.runs and not recording.unsupported:
        yield f"{FILE}: it has no run"
    for record in recording.runs:
        if record.spans.keys() != set(recording.places):
            yield f"{FILE}: run {record.run.name} does not tell its part of every capture"
        for row in record.run.rows:
            if row not in ROWS:
                yield f"{FILE}: this oracle has no assertion {names.shown(row)}"
