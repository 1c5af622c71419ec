"""Words that must never become a part of a path."""

from __future__ import annotations

HOSTILE = (
    *("../specs", ".", "..", "../../victim/data", "/etc", "small\n", "\nsmall", "sm all", "SMALL"),
    *("*", "-x", "small/", "small/../small", "\x1b[31m", "x" * 5000, "$(id)", "ünicode", ""),
)
