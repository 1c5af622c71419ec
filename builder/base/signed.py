"""Check that a base's RPMs are signed by its own keys, before any of them is unpacked.

rpmkeys(8) exits with 0 even for an unsigned RPM.  So its output must have a line that names one
of our keys, and every line must end in OK.  Words elsewhere in a line do not count: the number of
a key may spell "bad".
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.errors import EnvironmentFailure, VerificationError
from builder.host.process import require_tool, run

_GOOD = re.compile(r"^\s+(?:Header )?V[34] .*[Ss]ignature, key ID ([0-9a-f]{8,16}): OK$")
_FINE = re.compile(r": OK(?: \([0-9a-f]+\))?$")
SHOWN = 3
_AT_ONCE = 100  # RPMs


def require_signatures(rpms: Sequence[Path], keys: Sequence[str], scratch: Path) -> None:
    """Require each RPM to be intact and signed by one of ``keys`` (armoured OpenPGP keys).

    The host's own rpm database is neither read nor written.  Raises VerificationError with
    the RPMs that fail, EnvironmentFailure if rpmkeys is missing.
    """
    program = require_tool("rpmkeys")
    with tempfile.TemporaryDirectory(dir=scratch, prefix="keys-") as folder:
        database = f"--dbpath={folder}/db"
        for number, key in enumerate(keys):
            path = Path(folder) / f"{number}.asc"
            path.write_text(key, encoding="utf-8")
            imported = run([program, database, "--import", path])
            if not imported.ok:
                raise EnvironmentFailure(
                    "a key of the base cannot be read", imported.complaint, "see its base.toml"
                )
        bad = list(_refused(program, database, rpms))
    if bad:
        more = f"\nand {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise VerificationError(
            f"{len(bad)} of {len(rpms)} RPMs of the base are not signed by its keys",
            "\n".join(bad[:SHOWN]) + more,
            "take another mirror; if this stays, somebody changed them on the way",
        )


def _refused(program: str, database: str, rpms: Sequence[Path]) -> Iterator[str]:
    for start in range(0, len(rpms), _AT_ONCE):
        batch = rpms[start : start + _AT_ONCE]
        told = run([program, database, "--checksig", "--verbose", *batch], env={"LC_ALL": "C"})
        answers = _by_rpm(told.text)
        for rpm in batch:
            fault = fault_told(answers.get(str(rpm), []))
            if fault:
                yield f"{rpm.name}: {fault}"


def fault_told(lines: Sequence[str]) -> str:
    """The fault that rpmkeys (``--checksig --verbose``) reports for one RPM; empty if none."""
    bad = [line.strip() for line in lines if not _FINE.search(line)]
    if bad:
        return bad[0]
    return "" if any(_GOOD.match(line) for line in lines) else "it has no signature"


def _by_rpm(text: str) -> dict[str, list[str]]:
    """rpmkeys' output by RPM: a line with its path and a colon, then indented lines."""
    answers: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(line)
        else:
            lines = answers.setdefault(line.removesuffix(":"), [])
    return answers
