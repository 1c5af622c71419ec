"""How many lines of context a hunk may differ in."""

MAX_FUZZ = 2
"""Lines at either end of a hunk, where a profile says nothing else (patch(1), --fuzz)."""
