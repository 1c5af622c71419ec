"""Reads the user's configuration: what holds, and where each value comes from."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder import names, toml
from builder import text as texts
from builder.configuration import given, places, stages
from builder.configuration.given import GivenTable, GivenValue, HeldValue, ValueOrigin
from builder.configuration.model import UserFile
from builder.errors import UsageError
from builder.farm.model import EXAMPLE, WorkerAddress
from builder.relay.model import SCHEMES, CompilerCache
from builder.remote.model import StageStore

STORE, TOKEN = "LVS_STAGE_STORE", "LVS_STAGE_TOKEN"
CACHE, CACHE_TOKEN = "LVS_CACHE_REMOTE", "LVS_CACHE_TOKEN"
HOSTS = "LVS_WORKERS"
STAGES, COMPILER, WORKERS = "stages", "compiler-cache", "workers"
VARIABLES = {STAGES: (STORE, TOKEN), COMPILER: (CACHE, CACHE_TOKEN)}
"""Of each table: what is used instead of its ``store``, and of the file ``token-file``."""
KEYS = "see docs/reference/configuration.md for the keys and their types"
OF_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""Errors that whoever names the file corrects."""
_PATHS = frozenset({"sign", "token-file"})


@dataclass(frozen=True)
class UserConfiguration:
    """``stages``: the shared stage cache, ``compiler``: the shared compiler cache; None if there is
    none.  ``workers``: that compile for this machine.  ``compare``: the share of their objects that
    is compiled here, too.  ``held``: all values."""

    stages: StageStore | None = None
    compiler: CompilerCache | None = None
    workers: tuple[WorkerAddress, ...] = ()
    compare: float = 0.01
    held: tuple[HeldValue, ...] = ()


def load(environment: Mapping[str, str] = os.environ) -> UserConfiguration:
    """The configuration of this user and machine, as the environment changes it.

    A key of the user's file replaces that of the machine's file.  Raises UsageError with file and
    line for whatever is wrong.
    """
    read = places.files(environment)
    found = _defaults()
    for path in read:
        for name, values in _from_file(path, is_named=places.VARIABLE in environment).items():
            found[name] |= values
    tables = {name: _table(name, found[name], environment) for name in VARIABLES}
    farm = _workers_table(found[WORKERS], environment)
    held = (*stages.held(tables[STAGES]), *tables[COMPILER].held(), *farm.held())
    return UserConfiguration(
        stages.stage_store(tables[STAGES]),
        _compiler(tables[COMPILER]),
        _workers(farm),
        farm["compare"],
        (*_files(read), *held),
    )


def named_workers(words: str | None) -> tuple[WorkerAddress, ...] | None:
    """The workers that ``--workers`` names; None if it was not given.

    Raises UsageError for what names none.
    """
    if words is None:
        return None
    hosts = GivenValue(_listed(words), ValueOrigin("--workers"))
    table = GivenTable(WORKERS, {"hosts": hosts}, None)
    if not hosts.value:
        raise table.refuse("hosts", "it names no machine", _example(table))
    return _workers(table)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.replace(",", " ").split())


def _example(table: GivenTable) -> str:
    return table.written("hosts", EXAMPLE, f'["{EXAMPLE}"]')


def _defaults() -> dict[str, dict[str, GivenValue]]:
    """The values of every table that hold without a file."""
    encoded = msgspec.to_builtins(UserFile())
    return {
        table: {name: GivenValue(value) for name, value in values.items()}
        for table, values in encoded.items()
    }


def _from_file(path: Path, *, is_named: bool) -> dict[str, dict[str, GivenValue]]:
    """The keys of a file's tables; none if there is no such file, unless it was named."""
    try:
        text = texts.read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_named:
            return {}
        raise _unreadable(path, error) from error
    except OSError as error:
        if error.errno not in OF_THE_FILE:  # the host's: too many open files, a broken disk
            raise
        raise _unreadable(path, error) from error
    places.require_unwritable(path)
    document = toml.parse(path, text)
    read = msgspec.to_builtins(toml.convert(path, text, document, UserFile, "", hint=KEYS))
    return {
        table: {
            name: GivenValue(
                _resolved(name, read[table][name], path),
                ValueOrigin(file=path, text=text, key=f"{table}.{name}"),
            )
            for name in values
        }
        for table, values in document.items()
    }


def _unreadable(path: Path, error: OSError) -> UsageError:
    hint = f"correct {places.VARIABLE}, or see: ls -l {shlex.quote(str(path))}"
    return UsageError(f"{path} cannot be read", str(error.strerror), hint)


def _resolved(name: str, value: Any, path: Path) -> Any:
    """``value``; a path as an absolute one."""
    if name not in _PATHS or not value:
        return value
    try:
        return str(path.parent / Path(value).expanduser())
    except RuntimeError:  # ~USER of nobody
        return str(path.parent / value)


def _table(
    name: str, values: Mapping[str, GivenValue], environment: Mapping[str, str]
) -> GivenTable:
    """A table as the environment changes it."""
    store, token = VARIABLES[name]
    if environment.get(store):
        values = {**values, "store": GivenValue(environment[store], ValueOrigin(store))}
    return GivenTable(name, values, given.password(values["token-file"], token, environment))


def _workers_table(values: Mapping[str, GivenValue], environment: Mapping[str, str]) -> GivenTable:
    """The table of workers as the environment changes it."""
    if environment.get(HOSTS):
        hosts = GivenValue(_listed(environment[HOSTS]), ValueOrigin(HOSTS))
        values = {**values, "hosts": hosts}
    return GivenTable(WORKERS, values, None)


def _workers(table: GivenTable) -> tuple[WorkerAddress, ...]:
    found: dict[str, WorkerAddress] = {}
    for word in table["hosts"]:
        try:
            worker = WorkerAddress.parse(word)
        except ValueError as error:
            cause = f"{names.shown(word)}: {error}"
            raise table.refuse("hosts", cause, _example(table)) from error
        if str(worker) in found:
            hint = "give it once, with all its jobs"
            raise table.refuse("hosts", f"{worker} is in it twice", hint)
        found[str(worker)] = worker
    return tuple(found.values())


def _compiler(table: GivenTable) -> CompilerCache | None:
    url = table.store_url(SCHEMES)
    if not url:
        return None
    writes = table["mode"] == "read-write"
    return CompilerCache(url, writes, table.password.value if table.password else None)


def _files(read: tuple[Path, ...]) -> Iterator[HeldValue]:
    """A line for each file that would be read, whether there is one or not."""
    for path in read:
        yield HeldValue("file", str(path), "read" if path.exists() else "does not exist")
