"""What a profile looks for in a source, so that a first use can be judged."""

from __future__ import annotations

import msgspec


class Expected(msgspec.Struct, frozen=True):
    """``members``: paths as unpacking leaves them.  ``kernel``: a kernel is made of it."""

    members: frozenset[str] = frozenset()
    kernel: bool = False
