"""The user's configuration file as data."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from builder.values import AnyPath, Line


class StagesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The shared stage cache: a store of finished stages that several machines use.

    ``store``: its URL, ``https`` or ``http``; empty: none is used.
    ``mode``: ``read`` takes finished stages from it, ``read-write`` also pushes those of this
    machine.
    ``accept``: public keys, each ``ssh-ed25519 BASE64 NAME``; only entries that one of these has
    signed are used.
    ``sign``: path of the private Ed25519 key that signs the entries of this machine; relative to
    the file, or from ``~``.
    ``token-file``: path of a file with what the store asks for: ``USER:PASSWORD`` or a token.
    """

    store: str = ""
    mode: Literal["read", "read-write"] = "read"
    accept: tuple[Line, ...] = ()
    sign: AnyPath = ""
    token_file: AnyPath = ""


class CompilerCacheTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The shared compiler cache: compiled objects of several machines.

    ``store``: its URL, ``https``, ``http``, ``redis`` or ``rediss`` (Redis with TLS); empty: none
    is used.
    ``mode``: ``read`` takes objects from it, ``read-write`` also stores those of this machine.
    ``token-file``: path of a file with what the store asks for: ``USER:PASSWORD`` or a token;
    relative to the file, or from ``~``.
    """

    store: str = ""
    mode: Literal["read", "read-write"] = "read"
    token_file: AnyPath = ""


class WorkersTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Workers: machines that compile for this one.

    ``hosts``: each as ``HOST/JOBS`` or ``HOST:PORT/JOBS``; JOBS is how many objects it compiles
    for this machine at a time.
    ``compare``: the share of the objects, chosen at random, that this machine compiles too, to find
    a worker that returns other ones; from 0.001 to 1.
    """

    hosts: tuple[Line, ...] = ()
    compare: Annotated[float, msgspec.Meta(ge=0.001, le=1)] = 0.01


class UserFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What is about this machine and its team, and no part of a project.

    ``stages``: the shared stage cache.
    ``compiler-cache``: the shared compiler cache.
    ``workers``: machines that compile for this one.
    """

    stages: StagesTable = StagesTable()
    compiler_cache: CompilerCacheTable = CompilerCacheTable()
    workers: WorkersTable = WorkersTable()
