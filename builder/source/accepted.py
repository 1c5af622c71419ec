"""``sources/accepted.toml``: sources that only the operator vouches for, in a file git ignores.

A table ``[PROFILE.SOURCE]`` names either the digest of bytes that are accepted although no accepted
key signed them, or the operator's own key.  A source accepted by it is reported as such in every
run, in build.json and in the report.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder import names, toml
from builder import text as texts
from builder.digest import Digest
from builder.errors import UsageError, VerificationError
from builder.host.paths import Project
from builder.source.model import Source
from builder.values import Fingerprint, PathBelow

if TYPE_CHECKING:
    from builder.source.openpgp import Key

FILE = "accepted.toml"
BY_YOU = f"accepted by you (sources/{FILE})"
_HINT = 'docs/explanation/security.md, "An exception of your own", has the form'


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is taken: the bytes of this digest, or what a key signed, a file beside this one."""

    sha256: Digest | None = None
    key: PathBelow | None = None
    fingerprint: Fingerprint | None = None

    def __post_init__(self) -> None:
        by_key = self.key is not None and self.fingerprint is not None
        half = (self.key is None) != (self.fingerprint is None)
        if half or by_key == (self.sha256 is not None):
            raise ValueError("it has either sha256, or key and fingerprint")

    def keys(self, project: Project) -> tuple[Key, ...]:
        """The operator's key, if one was named.  Raises UsageError if there is no such file."""
        if self.key is None or self.fingerprint is None:
            return ()
        from builder.source.openpgp import Key  # noqa: PLC0415 - hardly anybody has a key here

        path = project.dropin / self.key
        if not path.is_file():
            raise UsageError(
                f"sources/{FILE} names a key that does not exist",
                f"sources/{self.key} is not a file",
                f"put the armoured public key there: gpg --armor --export {self.fingerprint}",
            )
        return (Key(path, self.fingerprint),)

    def narrow(self, source: Source) -> Source:
        """The source with the accepted digest in the place of all others, if there is one."""
        if self.sha256 is None:
            return source
        replace = msgspec.structs.replace
        locations = tuple(replace(one, sha256=None) for one in source.locations)
        return replace(source, sha256=self.sha256, locations=locations)


def read(project: Project, profile: str, sources: frozenset[str]) -> dict[str, Acceptance]:
    """What is accepted of a profile's sources, by their names.

    Raises UsageError, with file and line, for whatever is wrong in any profile's tables.
    """
    path = project.dropin / FILE
    _require_folder(project.dropin)
    try:
        text = texts.read(path, hint=_HINT)
    except FileNotFoundError:
        if path.is_symlink():
            raise _nowhere(path) from None
        return {}
    tables: dict[str, dict[str, Acceptance]] = {}
    for name, table in toml.parse(path, text).items():
        if not names.is_name(name) or not (project.specs / name).is_dir():
            raise _refuse(path, text, name, f"{names.shown(name)} is not a profile in specs/")
        tables[name] = toml.convert_tables(path, text, table, Acceptance, name, hint=_HINT)
    mine = tables.get(profile, {})
    for source in mine.keys() - sources:
        cause = f"profile {profile} has no source {source}; it has {', '.join(sorted(sources))}"
        raise _refuse(path, text, f"{profile}.{source}", cause)
    return mine


def _require_folder(folder: Path) -> None:
    """Raises for a file or a dead link in the folder's place, so that its files are not ignored."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder",
            f"files that are brought by hand lie there, and {FILE}",
            f"rename that file, and make the folder: mkdir {shlex.quote(str(folder))}",
        )
    if folder.is_symlink() and not folder.exists():
        raise _nowhere(folder)


def _nowhere(link: Path) -> UsageError:
    return UsageError(
        f"{link} cannot be read",
        f"it is a link to {names.shown(str(link.readlink()))}, which does not exist",
        f"mount or make what it leads to, or remove it: rm {shlex.quote(str(link))}",
    )


def correction(acceptance: Acceptance | None) -> str:
    """What to do about bytes of another digest than the one that is accepted; else empty."""
    if acceptance is None or acceptance.sha256 is None:
        return ""
    return f"correct the digest in sources/{FILE}, or remove the table there"


def advice(project: Project, profile: str, source: Source, sha256: Digest) -> str:
    """How to accept bytes that no accepted key signed, as a command."""
    table = f'[{profile}.{source.name}]\\nsha256 = "{sha256}"\\n'
    return (
        "or, if you know that these bytes are right and stand for them alone: "
        f"printf '{table}' >> {shlex.quote(str(project.dropin / FILE))}"
    )


def _refuse(path: Path, text: str, place: str, cause: str) -> UsageError:
    return toml.refuse(path, toml.line_of(text, place), cause, _HINT)


def describe(error: VerificationError) -> str:
    """How bytes were verified that are accepted in spite of ``error``."""
    unsigned = "is not signed" in error.what
    return f"{'unsigned' if unsigned else 'not signed by an accepted key'}, {BY_YOU}"
