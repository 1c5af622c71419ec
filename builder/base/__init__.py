"""Bases: the root file systems in which things are built and booted."""

from builder.base.image import (
    ensure_image,
    host_faults,
    identity,
    image_tag,
    make_root,
    method,
    require_host,
)
from builder.base.method import Bootstrapped, Order
from builder.base.model import Base, Kind, find, load_base

__all__ = [
    "Base",
    "Bootstrapped",
    "Kind",
    "Order",
    "ensure_image",
    "find",
    "host_faults",
    "identity",
    "image_tag",
    "load_base",
    "make_root",
    "method",
    "require_host",
]
