"""Bases: the root file systems in which things are built and booted."""

from builder.base.bootstrap import Bootstrapped, bootstrap
from builder.base.image import ensure_image, identity, image_tag
from builder.base.model import Base, Kind, load_base

__all__ = [
    "Base",
    "Bootstrapped",
    "Kind",
    "bootstrap",
    "ensure_image",
    "identity",
    "image_tag",
    "load_base",
]
