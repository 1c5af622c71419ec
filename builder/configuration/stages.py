"""The table ``stages`` of the configuration: the shared stage cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builder.configuration import places
from builder.configuration.given import GivenTable, HeldValue
from builder.remote.keys import FORM, AcceptedKey
from builder.remote.model import SCHEMES, StageStore


def stage_store(table: GivenTable) -> StageStore | None:
    """The store that the table names; None if it names none."""
    accept = tuple(_keys(table))
    url = table.store_url(SCHEMES)
    if not url:
        return None
    writes = table["mode"] == "read-write"
    if not accept and not writes:
        cause = "it has no key, so that no entry of the store would be used"
        hint = f'accept = ["{FORM.partition(",")[0]}"]'
        raise table.refuse("accept", cause, hint, at="store")
    key = _signing_key(table) if writes else None
    return StageStore(
        url if url.endswith("/") else f"{url}/",
        accept,
        key,
        table.password.value if table.password else None,
    )


def held(table: GivenTable) -> Iterator[HeldValue]:
    """The table's values for people, each key by its name."""
    for value in table.held():
        if value.key != f"{table.name}.accept" or not table["accept"]:
            yield value
            continue
        for key in _keys(table):
            yield HeldValue(value.key, f"{key.name} {key.fingerprint}", value.origin)


def _keys(table: GivenTable) -> Iterator[AcceptedKey]:
    seen: set[str] = set()
    for line in table["accept"]:
        try:
            key = AcceptedKey.parse(line)
        except ValueError as error:
            hint = "cat ~/.ssh/id_ed25519.pub shows such a line"
            raise table.refuse("accept", str(error), hint) from error
        if key.name in seen or key.text in seen:
            cause = f"the key or the name {key.name} is in it twice"
            raise table.refuse("accept", cause, "remove one of them, or give it another name")
        seen |= {key.name, key.text}
        yield key


def _signing_key(table: GivenTable) -> Path:
    """The key for entries of this machine, which only this user may read."""
    if not table["sign"]:
        cause = f"read-write needs a key that signs: {table.name}.sign"
        hint = "ssh-keygen -t ed25519 -N '' -C NAME -f FILE, then sign = \"FILE\""
        raise table.refuse("mode", cause, hint)
    path = Path(table["sign"])
    places.require_secret(path)
    return path
