"""Parts of a CI's log that are shown folded: GitHub's groups and GitLab's sections.

GitHub: docs.github.com, "Workflow commands", Grouping log lines.  GitLab: docs.gitlab.com,
"CI/CD job logs", Custom collapsible sections.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass

_CLEAR = "\x1b[0K"
QUOTE = "| "
"""The prefix of each foreign line: a runner would obey a line that begins with ``::``."""


@dataclass(frozen=True)
class Fold:
    """The lines around a folded part."""

    begin: str
    end: str


def fold(title: str) -> Fold | None:
    """How this CI folds a part of its log; None if it does not."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return Fold(f"::group::{title}", "::endgroup::")
    if os.environ.get("GITLAB_CI") == "true":
        name = re.sub(r"[^a-z0-9_.-]+", "_", title.lower())
        now = int(time.time())
        return Fold(
            f"{_CLEAR}section_start:{now}:{name}[collapsed=true]\r{_CLEAR}{title}",
            f"{_CLEAR}section_end:{now}:{name}\r{_CLEAR}",
        )
    return None


def folded(title: str, lines: list[str]) -> str:
    """Foreign lines as a folded part; empty if nothing is folded here."""
    found = fold(title)
    if found is None:
        return ""
    return "\n".join((found.begin, *(f"{QUOTE}{line}" for line in lines), found.end, ""))
