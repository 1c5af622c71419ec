"""Names of profiles, flavours, bases, hosts, components, scenarios and stages.

A name becomes part of paths, so it has one form, wherever it comes from: the command line, a
file that people write, or a file's own name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from builder.errors import UsageError

LONGEST = 64
"""Characters: several names make one file's name, which has 255 bytes at most."""
FORM = r"^[a-z0-9][a-z0-9._-]*\Z"
OPTIONAL_FORM = r"^([a-z0-9][a-z0-9._-]*)?\Z"
FILE_FORM = r"^[A-Za-z0-9_][A-Za-z0-9._+~@-]*\Z"
RULE = (
    "a name has lower-case letters, digits, '.', '_' and '-' only, begins with a letter or a "
    f"digit, and has {LONGEST} characters at most"
)
FILE_RULE = "a file's name has no '/', begins with a letter, a digit or '_', and has no blanks"

_NAME = re.compile(FORM)
_PLACE = re.compile(r"(?:^|/)((?:(?:specs|dockerfiles)/[^/]+|builder/lab/[^/]+)/[^/]+)$")
_SHOWN = 40
_LIKE = 0.5  # of two letters one may be wrong: vn, vm


def is_name(word: str) -> bool:
    return len(word) <= LONGEST and _NAME.match(word) is not None


def is_stage(word: str) -> bool:
    """``smoke``, or ``build:kernel``: a kind of stage and a name."""
    return all(is_name(part) for part in word.split(":", maxsplit=1))


def shown(word: str) -> str:
    """A word from outside, quoted and not too long for a message."""
    cut = word if len(word) <= _SHOWN else f"{word[:_SHOWN]}..."
    return repr(cut)


def place_of(path: Path) -> str:
    """A file of the project as it is found from the project's folder; of others, the last parts."""
    found = _PLACE.search(path.as_posix())
    return found[1] if found else "/".join(path.parts[-2:])


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'lts'?`` for the name that is most like ``word``; empty if none is.

    It ignores case.
    """
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=_LIKE)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def choose(kind: str, word: str, known: Iterable[str], rule: str, *, of: str = "") -> str:
    """``word``, if it is one of the ``known`` names.

    ``kind``: what it names, such as ``profile``.  ``rule``: where it is given and what it means.
    ``of``: what has it, such as ``profile lts``.  Raises UsageError for a malformed name, and with
    the nearest name for an unknown one.
    """
    existing = tuple(known)
    if word in existing:
        return word
    hint = f"{kind}s: {', '.join(existing) or 'none'}"
    if not is_stage(word):
        suggested = nearest(word[:LONGEST], existing)
        raise UsageError(f"{shown(word)} is not the name of a {kind}{suggested}", RULE, hint)
    owner = f"{of} has no {kind}" if of else f"there is no {kind}"
    raise UsageError(f"{owner} {shown(word)}{nearest(word, existing)}", rule, hint)


def split(option: str, given: str | None) -> tuple[str, ...]:
    """The names that are given to an option, separated by commas (or blanks).

    No names if the option was not given.  Raises UsageError if it has no name, or a name twice.
    """
    if given is None:
        return ()
    found = tuple(given.replace(",", " ").split())
    hint = f"{option} A,B (each name once), or leave {option} out for all"
    if not found:
        raise UsageError(f"{option} names nothing", f"it was given {shown(given)}", hint)
    for name in found:
        if found.count(name) > 1:
            raise UsageError(
                f"{option} names {shown(name)} twice", f"it was given {shown(given)}", hint
            )
    return found


def is_inside(path: Path, folder: Path) -> bool:
    """Whether ``path`` is in ``folder`` when all links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def plainly(words: str) -> str:
    """msgspec's message about a malformed name, in plain words."""
    for form, rule in ((FORM, RULE), (OPTIONAL_FORM, RULE), (FILE_FORM, FILE_RULE)):
        words = words.replace(f"Expected `str` matching regex {form!r}", f"not a name: {rule}")
    return words.replace(f"Expected `str` of length <= {LONGEST}", f"not a name: {RULE}")


def require(kind: str, word: str, hint: str = "") -> str:
    """``word``, if it has the form of a name: before it becomes part of a path.

    Raises UsageError if it does not.
    """
    if not is_name(word):
        advice = hint or f"give the {kind} another name"
        raise UsageError(f"{shown(word)} is not the name of a {kind}", RULE, advice)
    return word
