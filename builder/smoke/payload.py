"""The disk with the self-test that the guest mounts and executes.

What a guest can be tested for depends on its init, so there are several self-tests, each a folder
of ``guest/`` with a table, ``payload.toml``, of what is in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from builder import names, toml
from builder import text as texts
from builder.errors import EnvironmentFailure
from builder.host import process
from builder.host.removal import remove

SERIAL = "selftest"
SIZE = "2M"
GUESTS = Path(__file__).parent / "guest"
TABLE = "payload.toml"
KEYS = "programs and parts are files of this folder, checks the names that the guest reports"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's own form; see ``Payload``."""

    programs: tuple[str, ...]
    parts: tuple[str, ...]
    checks: frozenset[str]
    cpus: int


class Payload(msgspec.Struct, frozen=True):
    """A self-test.

    ``programs`` and ``parts``: files that go onto its disk, the first ones executable; ``run``
    is the one that the guest starts.  ``checks``: what the guest must report, each once.
    ``cpus``: processors of the machine.
    """

    programs: tuple[Path, ...]
    parts: tuple[Path, ...]
    checks: frozenset[str]
    cpus: int


def load(init: str) -> Payload:
    """The self-test of a guest with that init.

    Raises UsageError if there is none, and with file and line if its table is wrong.
    """
    known = sorted(path.parent.name for path in GUESTS.glob(f"*/{TABLE}"))
    folder = GUESTS / names.choose(
        "self-test", init, known, "the profile names a folder of builder/smoke/guest/ (init)"
    )
    path = folder / TABLE
    words = texts.read(path)
    table = toml.convert(path, words, toml.parse(path, words), _Table, "", hint=KEYS)
    for file in (*table.programs, *table.parts):
        if not (folder / file).is_file():
            key = "programs" if file in table.programs else "parts"
            cause = f"{key} names {names.shown(file)}, which does not exist"
            raise toml.refuse(path, toml.line_of(words, key), cause, KEYS)
    return Payload(
        tuple((folder / file).resolve() for file in table.programs),
        tuple((folder / file).resolve() for file in table.parts),
        table.checks,
        table.cpus,
    )


def make(target: Path, kernel_release: str, payload: Payload) -> Path:
    """Write the disk (ext4, no partition table) as ``target``; needs no root.

    Raises EnvironmentFailure if mke2fs is missing or fails.
    """
    mke2fs = process.require_tool("mke2fs")
    folder = target.with_suffix(".d")
    remove(folder, target.parent)
    folder.mkdir(parents=True)
    for file in (*payload.programs, *payload.parts):
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).chmod(0o755 if file in payload.programs else 0o644)
    (folder / "release").write_text(kernel_release + "\n", encoding="utf-8")
    target.unlink(missing_ok=True)
    # Kernels of 2.6.32's age, too, must be able to mount it.
    options = ["-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum,^64bit", "-m", "0"]
    done = process.run([mke2fs, *options, "-L", SERIAL, "-d", folder, target, SIZE], timeout=60)
    remove(folder, target.parent)
    if not done.ok:
        raise EnvironmentFailure(
            "cannot make the self-test's disk", done.complaint, "is there space on the disk?"
        )
    return target
