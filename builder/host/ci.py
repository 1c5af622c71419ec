"""Whether this is a CI run, which changes nothing in the checkout outside of ``artifacts/``.

Only this module decides it: every command that could write to a tracked file, such as
``sources.lock``, calls it.  Only the standard library is used, because bootstrap calls it, too.
"""

from __future__ import annotations

import os

from builder.errors import UsageError

VARIABLE = "CI"
OUTSIDE = f"env -u {VARIABLE}"
"""The prefix of a command that must run as if CI had not started it."""


def is_ci() -> bool:
    """Whether ``CI=true`` is in the environment; no other value counts."""
    return os.environ.get(VARIABLE) == "true"


def is_locked(*, asked: bool) -> bool:
    """Whether sources must be pinned already: requested with ``--locked``, or because of CI."""
    return asked or is_ci()


def require_editable(what: str, command: str) -> None:
    """Refuse to change a tracked file in CI.

    ``what``: the command that would change it.  ``command``: the same, to run elsewhere.  Raises
    UsageError.
    """
    if is_ci():
        raise UsageError(
            f"{what} changes the checkout, which no run under {VARIABLE}=true does",
            f"{VARIABLE}=true is in the environment",
            f"run this where the change can be committed: {OUTSIDE} {command}",
        )
