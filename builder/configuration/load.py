"""Reads the user's configuration: what holds, and where each value comes from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import text as texts
from builder import toml
from builder.configuration import places
from builder.configuration.model import StagesTable, UserFile
from builder.errors import UsageError
from builder.remote.keys import FORM, AcceptedKey
from builder.remote.model import Password, StageStore, fault_of, is_private

STORE = "LVS_STAGE_STORE"
"""The address of the store; it is used instead of the files'."""
TOKEN = "LVS_STAGE_TOKEN"  # noqa: S105 - a variable's name
"""What the store asks for; it is used instead of the file ``token-file``."""
TABLE = "stages"
KEYS = "see docs/reference/configuration.md for the keys and their types"
_DEFAULT = "default"


@dataclass(frozen=True)
class ValueOrigin:
    """Where a value comes from: ``file`` with its text and the key's place in it, or ``words``."""

    words: str = _DEFAULT
    file: Path | None = None
    text: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{toml.line_of(self.text, self.key)}" if self.file else self.words

    def refuse(self, cause: str, hint: str) -> UsageError:
        """The error for a value from here."""
        if self.file is None:
            return UsageError(f"{self.words} cannot be used", cause, hint)
        return toml.refuse(self.file, toml.line_of(self.text, self.key), cause, hint)


@dataclass(frozen=True)
class HeldValue:
    """A value that holds, for people: ``value`` has no secret in it."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True)
class UserConfiguration:
    """``stages``: the shared stage cache, None if there is none.  ``held``: all values."""

    stages: StageStore | None = None
    held: tuple[HeldValue, ...] = ()


@dataclass(frozen=True)
class _Given:
    value: Any
    origin: ValueOrigin


def load(environment: Mapping[str, str] = os.environ) -> UserConfiguration:
    """The configuration of this user and machine, as the environment changes it.

    A key of the user's file replaces that of the machine's file.  Raises UsageError with file and
    line for whatever is wrong.
    """
    read = places.files(environment)
    found: dict[str, _Given] = {
        name: _Given(getattr(StagesTable(), _field(name)), ValueOrigin()) for name in _names()
    }
    for path in read:
        found |= _from_file(path, is_named=places.VARIABLE in environment)
    if environment.get(STORE):
        found["store"] = _Given(environment[STORE], ValueOrigin(STORE))
    password = _password(found["token-file"], environment)
    stages = _stages(found, password)
    return UserConfiguration(stages, (*_files(read), *_held(found, password)))


def _names() -> tuple[str, ...]:
    return StagesTable.__struct_encode_fields__


def _field(name: str) -> str:
    return StagesTable.__struct_fields__[_names().index(name)]


def _from_file(path: Path, *, is_named: bool) -> dict[str, _Given]:
    """The keys of a file's table; none if there is no such file, unless it was named."""
    try:
        text = texts.read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_named:
            return {}
        raise _unreadable(path, error) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    places.require_unwritable(path)
    document = toml.parse(path, text)
    table = toml.convert(path, text, document, UserFile, "", hint=KEYS).stages
    return {
        name: _Given(
            _resolved(name, getattr(table, _field(name)), path),
            ValueOrigin(file=path, text=text, key=f"{TABLE}.{name}"),
        )
        for name in document.get(TABLE, {})
    }


def _unreadable(path: Path, error: OSError) -> UsageError:
    hint = f"correct {places.VARIABLE}, or see: ls -l {shlex.quote(str(path))}"
    return UsageError(f"{path} cannot be read", str(error.strerror), hint)


def _resolved(name: str, value: Any, path: Path) -> Any:
    """``value``; a path as an absolute one."""
    if name not in ("sign", "token-file") or not value:
        return value
    try:
        return str(path.parent / Path(value).expanduser())
    except RuntimeError:  # ~USER of nobody
        return str(path.parent / value)


def _password(file: _Given, environment: Mapping[str, str]) -> _Given | None:
    """What the store asks for; None if nothing is configured."""
    if environment.get(TOKEN):
        found = _Given(Password(environment[TOKEN].strip()), ValueOrigin(TOKEN))
    elif file.value:
        path = Path(file.value)
        places.require_secret(path)
        found = _Given(Password(texts.read(path).strip()), ValueOrigin(str(path)))
    else:
        return None
    if found.value.fault:
        hint = "write USER:PASSWORD or a token, and nothing else"
        raise found.origin.refuse(found.value.fault, hint)
    return found


def _stages(found: Mapping[str, _Given], password: _Given | None) -> StageStore | None:
    store = found["store"]
    accept = tuple(_keys(found["accept"]))
    if not store.value:
        return None
    fault = fault_of(store.value)
    if fault:
        raise store.origin.refuse(f"{TABLE}.store: {fault}", 'store = "https://HOST/PATH/"')
    if password is not None and not is_private(store.value):
        cause = f"{TABLE}.store: a password would go through the network in clear text"
        raise store.origin.refuse(
            cause, "use https, or leave the password out (reading needs none)"
        )
    writes = found["mode"].value == "read-write"
    if not accept and not writes:
        cause = f"{TABLE}.accept: it has no key, so that no entry of the store would be used"
        raise store.origin.refuse(cause, f'accept = ["{FORM.partition(",")[0]}"]')
    key = _signing_key(found) if writes else None
    url = store.value if store.value.endswith("/") else f"{store.value}/"
    return StageStore(url, accept, key, password.value if password else None)


def _keys(accept: _Given) -> Iterator[AcceptedKey]:
    seen: set[str] = set()
    for line in accept.value:
        try:
            key = AcceptedKey.parse(line)
        except ValueError as error:
            hint = "cat ~/.ssh/id_ed25519.pub shows such a line"
            raise accept.origin.refuse(f"{TABLE}.accept: {error}", hint) from error
        if key.name in seen or key.text in seen:
            cause = f"{TABLE}.accept: the key or the name {key.name} is in it twice"
            raise accept.origin.refuse(cause, "remove one of them, or give it another name")
        seen |= {key.name, key.text}
        yield key


def _signing_key(found: Mapping[str, _Given]) -> Path:
    """The key for entries of this machine, which only this user may read."""
    if not found["sign"].value:
        cause = f"{TABLE}.mode: read-write needs a key that signs: {TABLE}.sign"
        hint = "ssh-keygen -t ed25519 -N '' -C NAME -f FILE, then sign = \"FILE\""
        raise found["mode"].origin.refuse(cause, hint)
    path = Path(found["sign"].value)
    places.require_secret(path)
    return path


def _files(read: tuple[Path, ...]) -> Iterator[HeldValue]:
    """A line for each file that would be read, whether there is one or not."""
    for path in read:
        yield HeldValue("file", str(path), "read" if path.exists() else "does not exist")


def _held(found: Mapping[str, _Given], password: _Given | None) -> Iterator[HeldValue]:
    for name, one in found.items():
        key = f"{TABLE}.{name}"
        if name == "accept" and one.value:
            yield from (_told(key, line, one) for line in _keys(one))
        else:
            yield HeldValue(key, str(one.value or "(none)"), str(one.origin))
    if password is not None:
        yield HeldValue(
            f"{TABLE} password", f"{password.value.kind}, not shown", str(password.origin)
        )


def _told(key: str, accepted: AcceptedKey, one: _Given) -> HeldValue:
    return HeldValue(key, f"{accepted.name} {accepted.fingerprint}", str(one.origin))
