"""A base as an image in the engine, named by the digest of its inputs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.base.model import Base, Kind
from builder.engine import require
from builder.errors import EnvironmentFailure
from builder.host import architecture, process, tools, vsyscall

if TYPE_CHECKING:
    from builder.base.method import Bootstrapped, Order
    from builder.engine import Engine

# The image's defaults for a container, as Dockerfile instructions.
CHANGES = ("ENV HOME=/home/builder LANG=C.UTF-8", "USER 1000:1000", "WORKDIR /home/builder")
YUM_CHANGES = ("ENV HOME=/home/builder LANG=C", *CHANGES[1:])


class Method(msgspec.Struct, frozen=True):
    """A way to make a base.

    ``code``: the parts of this program that determine the result.  ``changes``: part of an
    image's identity.  ``sources``: where the host gets the packages from, or EnvironmentFailure.
    ``engine``: it runs containers.  ``subordinate``: users other than root need subordinate user
    ids for it.
    """

    make: Callable[[Order], Bootstrapped]
    code: tuple[str, ...]
    changes: tuple[str, ...]
    sources: Callable[[Base], object] | None = None
    engine: bool = False
    subordinate: bool = False


def _make_of_debs(order: Order) -> Bootstrapped:
    from builder.base import bootstrap  # noqa: PLC0415 - only a run pays for it

    return bootstrap.bootstrap(order)


def _apt_sources(base: Base) -> str:
    from builder.base import mmdebstrap  # noqa: PLC0415 - only a run pays for it

    return mmdebstrap.apt_sources(base)


def _make_of_rpms(order: Order) -> Bootstrapped:
    from builder.base import yum  # noqa: PLC0415 - only a run pays for it

    return yum.bootstrap(order)


METHODS = {
    "mmdebstrap": Method(
        _make_of_debs,
        ("builder.base.mmdebstrap:command",),
        CHANGES,
        _apt_sources,
        subordinate=True,
    ),
    "yum": Method(_make_of_rpms, ("builder.base.yum:bootstrap",), YUM_CHANGES, engine=True),
}


def method(base: Base) -> Method:
    """The method that base.toml names."""
    return METHODS[base.settings.method]


def make_root(order: Order) -> Bootstrapped:
    """Make a root file system with its base's method; raises what that method raises."""
    return method(order.base).make(order)


def require_host(base: Base) -> None:
    """Raise EnvironmentFailure unless this host can make the base and run its programs.

    Call it before anything is downloaded.
    """
    if base.settings.vsyscall and not vsyscall.is_mapped():  # no package or setting fixes that
        raise EnvironmentFailure(
            f"this host cannot run the programs of base {base.settings.name}",
            "its kernel does not map the vsyscall page: they would end with SIGSEGV (exit 139)",
            vsyscall.FIX,
        )
    root = os.getuid() == 0
    for tool in tools.for_method(base.settings.method, root=root):
        process.require_tool(tool.name)
    for fault in host_faults(base):
        raise fault
    if method(base).engine:
        require()


def host_faults(base: Base) -> Iterator[EnvironmentFailure]:
    """Why this host cannot make the base, apart from programs, engine and vsyscall page."""
    from builder.host import subordinate  # noqa: PLC0415 - only a run pays for it

    way = method(base)
    checks: list[Callable[[], object]] = [architecture.require]
    if way.subordinate and os.getuid() != 0:
        checks.append(lambda: subordinate.require(os.getuid()))
    sources = way.sources
    if sources is not None:
        checks.append(lambda: sources(base))
    for check in checks:
        try:
            check()
        except EnvironmentFailure as fault:
            yield fault


def identity(base: Base, kind: Kind) -> str:
    """SHA-256 of the settings, keys, the packages of ``kind`` and the image's changes.

    It does not depend on how lists are split into files, on the other roots, or on the mirror.
    """
    way = method(base)
    settings = msgspec.structs.replace(base.settings, build=(), guest={}, snapshot=())
    words = (settings, kind, base.packages(kind), way.changes)
    keyed = (*words, base.keys) if base.keys else words
    return hashlib.sha256(msgspec.json.encode(keyed)).hexdigest()


def image_tag(base: Base, content: str) -> str:
    """The image's name in the engine; ``content``: SHA-256 of the tar, or an ``identity``."""
    return f"lvs-builder/{base.settings.name}:{content[:16]}"


def ensure_image(engine: Engine, tar: Path, base: Base, tag: str) -> bool:
    """Import ``tar`` as ``tag`` unless the engine has it; return whether it was imported."""
    if engine.has_image(tag):
        return False
    engine.import_image(tar, tag, method(base).changes)
    return True
