"""A frame as a capture has it."""

from __future__ import annotations

import msgspec

from builder.lab.capture import link


class Frame(msgspec.Struct, frozen=True):
    """A frame as it was captured.

    ``offset``: where its record ends in the file, in bytes.  ``wire``: its length on the link.
    ``link``: the link type.
    """

    number: int
    time: float
    data: bytes
    offset: int
    wire: int
    link: int = link.ETHERNET
