"""Addresses as people write them."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=1 << 14)
def address(packed: bytes) -> str:
    """The text of an address of either version; empty for none."""
    return str(ip_address(packed)) if packed else ""
