"""A base in the engine: named by the digest of what went in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.base.model import Base, Kind
from builder.base.recipe import RECIPE

if TYPE_CHECKING:
    from builder.engine import Engine

# How the image starts if nothing else is said; Dockerfile instructions.
CHANGES = ("ENV HOME=/home/builder LANG=C.UTF-8", "USER 1000:1000", "WORKDIR /home/builder")


def identity(base: Base, kind: Kind) -> str:
    """SHA-256 of the settings, the packages of ``kind`` and the recipe's version."""
    words = msgspec.json.encode((base.settings, kind, base.packages(kind), RECIPE, CHANGES))
    return hashlib.sha256(words).hexdigest()


def image_tag(base: Base, content: str) -> str:
    """The image's name in the engine; ``content``: SHA-256 of the tar, or an ``identity``."""
    return f"lvs-builder/{base.settings.name}:{content[:16]}"


def ensure_image(engine: Engine, tar: Path, tag: str) -> bool:
    """Import the bootstrapped ``tar`` as ``tag`` unless the engine has it; whether it did."""
    if engine.has_image(tag):
        return False
    engine.import_image(tar, tag, CHANGES)
    return True
