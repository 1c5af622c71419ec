"""Whether a run is CI's, which changes nothing in the checkout outside of ``artifacts/``.

This is the one place that decides it: every command that could write to a tracked file, such as
``sources.lock``, asks here.  Only the standard library is used: bootstrap asks, too.
"""

from __future__ import annotations

import os

from builder.errors import UsageError

VARIABLE = "CI"
OUTSIDE = f"env -u {VARIABLE}"
"""What stands before a command that is to run as if CI had not started it."""


def is_ci() -> bool:
    """Whether ``CI=true`` is in the environment; no other word counts."""
    return os.environ.get(VARIABLE) == "true"


def is_locked(*, asked: bool) -> bool:
    """Whether sources must be pinned already: ``asked`` by ``--locked``, or because this is CI."""
    return asked or is_ci()


def require_editable(what: str, command: str) -> None:
    """Refuse to change a tracked file in CI.

    ``what`` would change it; ``command`` does that elsewhere.  Raises UsageError.
    """
    if is_ci():
        raise UsageError(
            f"{what} changes the checkout, which no run under {VARIABLE}=true does",
            f"{VARIABLE}=true is in the environment",
            f"run this where the change can be committed: {OUTSIDE} {command}",
        )
