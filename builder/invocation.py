"""Rewrite commands and pages in messages, so that users can paste them where they are.

Messages in the source say ``invoke TASK`` and ``docs/KIND/NAME.md``.  Users read ``./bootstrap
TASK``, or its path from where they are, or ``lvs-builder TASK``, and a path that leads to the
page.  Only the standard library is used, because bootstrap's own messages are rewritten, too.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from builder import shipped

SCRIPT = "bootstrap"
_COMMAND = re.compile(r"(?<!-m )\binvoke(?= --?[a-z]| [a-z])|(?<![\w/.])\./bootstrap(?= )")
_QUOTED = re.compile(r"`(?:[^`\n]* )?(?:invoke|\./bootstrap) [^`]*`")
_PAGE = re.compile(r"(?<![\w/.-])(?:README\.md|docs/(?:[a-z-]+/)?[a-z0-9-]+\.md)")
# A task that works on the default profile if none is named; what follows it in the command.
_TASK = re.compile(r"\binvoke ([a-z][a-z-]*)(?![a-z-])(?![^`\n;()]*--profile)")
_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]*$")  # other names would be shell syntax
# These tasks work on everything, or have a default of their own.
_OF_NO_PROFILE = frozenset({"bench", "clean", "shell", "test", "verify"})


def pasted(text: str, root: Path, *, profile: str = "") -> str:
    """``text`` with commands and pages as they are reached from the working folder.

    ``root``: the checkout, or the folder of an installed toolkit's own files.  ``profile``: the
    profile of commands that do not name one, if it is not the default profile.
    """
    if _NAME.match(profile):
        text = _TASK.sub(lambda found: _of_profile(found, profile), text)
    script = root / SCRIPT
    if shipped.is_installed():
        text = _COMMAND.sub(shipped.COMMAND, text)
    elif script.is_file():
        text = _COMMAND.sub(lambda _: _word(script, root), text)
    return _PAGE.sub(lambda found: _from_here(root / found[0], root), text)


def pasted_quotes(text: str, root: Path, *, profile: str = "") -> str:
    """The same, but only between backticks, because a cause quotes other programs."""
    return _QUOTED.sub(lambda found: pasted(found[0], root, profile=profile), text)


def _of_profile(found: re.Match[str], profile: str) -> str:
    task = found[1]
    return found[0] if task in _OF_NO_PROFILE else f"{found[0]} --profile {profile}"


def _word(script: Path, root: Path) -> str:
    path = _from_here(script, root)
    return shlex.quote(path if "/" in path else f"./{path}")


def _from_here(path: Path, root: Path) -> str:
    """The path as it is reached from the working folder: relative within the checkout."""
    try:
        here = Path.cwd()
    except OSError:  # it has been removed
        return str(path)
    inside = here == root or root in here.parents
    return os.path.relpath(path, here) if inside else str(path)
