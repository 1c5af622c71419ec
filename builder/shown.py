"""Make texts from outside safe to show: no secrets, no control characters.

URLs carry passwords and tokens, and peers (servers, proxies, archives) send bytes that move a
terminal's cursor or turn the direction of a line.  Whatever is shown, logged or kept for people
goes through here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

LONGEST_ANSWER = 300
"""Characters that are shown of a peer's answer."""
_HIDDEN = "***"
_LEAST_SECRET = 4  # characters; shorter ones would blank out half of a message
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*:)?(/*)", re.IGNORECASE)
_WEB = re.compile(r"^(https?|ftps?|socks[45][ah]?):", re.IGNORECASE)
_LOCAL = re.compile(r"^(apt|apt-source|file):", re.IGNORECASE)
_KNOWN = re.compile(f"{_LOCAL.pattern}|{_WEB.pattern}", re.IGNORECASE)
_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_TEXT = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_AT = re.compile(r"@|%40", re.IGNORECASE)
_PORT = re.compile(r":\d*$")
_TRAILING = ".,;:)]}"


def without_secrets(url: str) -> str:
    """``url`` without user, password, query and fragment, however odd it is."""
    prefix, userinfo, rest = _parts(url)
    if not _names_server(url):
        return url if userinfo is None else prefix + rest
    return prefix + re.split(r"[?#]", rest, maxsplit=1)[0]


def without_secrets_in(text: str) -> str:
    """A text with every URL in it without secrets; fragments without ``=`` stay.

    Such fragments are names of members in an archive, as in sources.lock.
    """
    return _IN_TEXT.sub(lambda found: _shorten(found[0]), text)


def secrets_of(url: str) -> tuple[str, ...]:
    """The secret parts of ``url``, in every spelling, the longest first."""
    _, userinfo, rest = _parts(url)
    found: set[str] = set()
    if userinfo is not None:
        found |= {userinfo, *userinfo.partition(":")[::2]}
    if _names_server(url):
        for mark in ("?", "#"):
            _, _, after = rest.partition(mark)
            found |= {after, *re.split(r"[&;#]", after)}
            found |= {word.partition("=")[2] for word in re.split(r"[&;#]", after)}
    spelt = {way(word) for word in found for way in (str, unquote, quote, _spelt)}
    return tuple(sorted((word for word in spelt if len(word) >= _LEAST_SECRET), key=_by_length))


def hide(text: str, secrets: Iterable[str]) -> str:
    """``text`` without these secrets, which a peer may have sent back."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def printable(text: str) -> str:
    r"""``text`` with every character escaped (``\x1b``) that a terminal does not print.

    These are control characters, direction marks and the like.  Line feeds and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


def printable_json(text: str) -> str:
    r"""A JSON document with the same characters escaped as in JSON (``\u202e``): its value stays.

    Only its strings have such characters (RFC 8259, 2 and 7).
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else json.dumps(one)[1:-1] for one in text
    )


def shown(text: str) -> str:
    """A message that is safe to show, whoever wrote parts of it."""
    return printable(without_secrets_in(text))


def answer(text: str, secrets: Iterable[str] = ()) -> str:
    """A peer's answer: one line of at most ``LONGEST_ANSWER`` characters, without secrets."""
    line = " / ".join(hide(without_secrets_in(text), secrets).splitlines())
    line = printable(line.replace("\t", " "))
    return line if len(line) <= LONGEST_ANSWER else f"{line[:LONGEST_ANSWER]}..."


def _parts(url: str) -> tuple[str, str | None, str]:
    """Scheme with its slashes, user and password if there are any, and the rest."""
    match = _SCHEME.match(url)
    prefix = match[0] if match else ""
    if not prefix.endswith("/") and not _KNOWN.match(prefix):
        prefix = ""  # user:password@host
    rest = url[len(prefix) :]
    if _LOCAL.match(prefix) or prefix == "/":
        return prefix, None, rest
    end = re.search(r"[/?#\\]", rest)
    authority = rest[: end.start()] if end else rest
    if "@" in authority:
        at = authority.rindex("@")
        return prefix, authority[:at], rest[at + 1 :]
    if ":" in authority and not authority.startswith("[") and not _PORT.search(authority):
        # No port: a password with a slash, a question mark or an escaped @ in it.
        marks = list(_AT.finditer(rest))
        if marks:
            return prefix, rest[: marks[-1].start()], rest[marks[-1].end() :]
    return prefix, None, rest


def _names_server(url: str) -> bool:
    return not _LOCAL.match(url) and (_WEB.match(url) or _REMOTE.match(url)) is not None


def _shorten(url: str) -> str:
    kept = url.rstrip(_TRAILING)
    short = without_secrets(kept)
    _, mark, fragment = kept.partition("#")
    if mark and "=" not in fragment and "?" not in kept:
        short = f"{short}#{fragment}"
    return short + url[len(kept) :]


def _spelt(word: str) -> str:
    return quote(unquote(word), safe="")


def _by_length(word: str) -> int:
    return -len(word)
