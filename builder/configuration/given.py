"""One value of the configuration with the place that it comes from, and what tables have alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import text as texts
from builder import toml
from builder.configuration import places
from builder.errors import UsageError
from builder.remote.model import Password, fault_of, is_private

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

    def written(self, key: str, value: str, quoted: str) -> str:
        """How a value is given here; ``quoted``: the same as TOML has it."""
        if self.file is not None or self.words == _DEFAULT:
            return f"{key} = {quoted}"
        is_option = self.words.startswith("-")
        return f"{self.words} {value}" if is_option else f"export {self.words}={value}"

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
class GivenValue:
    """A value as it was given."""

    value: Any
    origin: ValueOrigin = ValueOrigin()


@dataclass(frozen=True)
class GivenTable:
    """The values of one table that hold.  ``name``: of the table.  ``password``: None if there is
    none."""

    name: str
    values: Mapping[str, GivenValue]
    password: GivenValue | None

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    def refuse(self, key: str, cause: str, hint: str, *, at: str = "") -> UsageError:
        """The error for the value of a key; ``at``: the key whose place is named instead.

        An option or a variable is the key's name where it was given there.
        """
        origin = self.values[at or key].origin
        named = f"{self.name}.{key}: " if at or origin.file is not None else ""
        return origin.refuse(f"{named}{cause}", hint)

    def written(self, key: str, value: str, quoted: str) -> str:
        """How the value of a key is given where the present one was; see ``ValueOrigin``."""
        return self.values[key].origin.written(key, value, quoted)

    def store_url(self, schemes: tuple[str, ...]) -> str:
        """The address in ``store``, empty if there is none.

        Raises UsageError for a malformed one, and for a password that others could read.
        """
        url: str = self["store"]
        if not url:
            return ""
        fault = fault_of(url, schemes)
        if fault:
            example = "https://HOST/PATH/"
            raise self.refuse("store", fault, self.written("store", example, f'"{example}"'))
        if self.password is not None and not is_private(url):
            cause = "a password would go through the network in clear text"
            hint = "use https, or leave the password out (reading needs none)"
            raise self.refuse("store", cause, hint)
        return url

    def held(self) -> Iterator[HeldValue]:
        """All values for people."""
        for key, one in self.values.items():
            value = ", ".join(one.value) if isinstance(one.value, tuple) else one.value
            yield HeldValue(f"{self.name}.{key}", str(value or "(none)"), str(one.origin))
        yield from self.held_password()

    def held_password(self) -> Iterator[HeldValue]:
        """The password's kind and origin, if there is one."""
        if self.password is not None:
            told = f"{self.password.value.kind}, not shown"
            yield HeldValue(f"{self.name} password", told, str(self.password.origin))


def password(file: GivenValue, variable: str, environment: Mapping[str, str]) -> GivenValue | None:
    """What a store asks for: from ``variable``, else from the named file; None if neither is."""
    if environment.get(variable):
        found = GivenValue(Password(environment[variable].strip()), ValueOrigin(variable))
    elif file.value:
        path = Path(file.value)
        places.require_secret(path)
        found = GivenValue(Password(texts.read(path).strip()), ValueOrigin(str(path)))
    else:
        return None
    if found.value.fault:
        hint = "write USER:PASSWORD or a token, and nothing else"
        raise found.origin.refuse(found.value.fault, hint)
    return found
