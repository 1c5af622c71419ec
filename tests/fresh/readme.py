"""The commands that README.md tells a new user to run, so that page and test cannot differ."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from builder.errors import UsageError

TESTS = "./bootstrap test"
# The clone in the machine is a scratch copy: what Debian has replaced since is built newer.
RENEWAL = "./bootstrap fetch --profile lts || .venv/bin/python -m tests.renewal lts"
README = Path(__file__).parents[2] / "README.md"


def commands(text: str) -> tuple[str, ...]:
    """The lines of the first sh block, without comments.  Raises UsageError if there is none."""
    block = re.search(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = block[1].splitlines() if block else []
    found = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    if not any(found):
        raise UsageError("README.md shows no commands", "it has no sh block", "add the commands")
    return tuple(line for line in found if line)


def of_level(level: str, text: str) -> tuple[str, ...]:
    """What of them is run at ``fast`` (set-up and the fast tests) or ``whole``.

    ``whole`` is everything that needs nothing but the package registries: the kernel of 2012,
    the default profile's, needs the vault of its distribution too.
    """
    if level == "fast":
        return tuple(f"{line} --fast" for line in commands(text) if line == TESTS)
    chosen = [line for line in commands(text) if line == TESTS or "--profile lts" in line]
    return (RENEWAL, *chosen)
