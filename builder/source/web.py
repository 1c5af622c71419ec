"""Downloads over HTTP: resumed, retried, bounded in every direction."""

from __future__ import annotations

import http.client
import re
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url

from builder.shown import without_secrets
from builder.source import authorities, moment, proxy
from builder.source.client import HttpSession
from builder.source.limit import Limit, LocationFailed
from builder.source.line import Line
from builder.source.model import Bounds
from builder.source.transfer import CHUNK, Arrival, Origin, Transfer, TryAgain, persist, receive

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.console import Progress

    Authentication = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that are worth another try (RFC 9110, 15.5 and 15.6)."""
_CONTENT_RANGE = re.compile(r"^bytes (?:(\d{1,15})-\d{1,15}|\*)/(\d{1,15}|\*)$", re.ASCII)
_NUMBER = re.compile(r"^\d{1,15}$", re.ASCII)  # of bytes: more than any disk has
_TAG = re.compile(r'^"[\x21\x23-\x7e]{0,256}"$')
_DATE = re.compile(r"^[A-Za-z0-9:,+ -]{1,64}$", re.ASCII)
_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"  # of a Location; other bytes are escaped


def download(order: Transfer) -> Arrival:
    """Fill the order's partial file from its URL; return when it is whole.

    Raises LocationFailed with the server's answer, EnvironmentFailure if the disk is full,
    Interrupted if stopped; the partial file stays for the next run.
    """
    return persist(order, lambda progress: _attempt(order, progress))


def ask(url: str, limit: Limit) -> str:
    """The status line of a location's answer; nothing is downloaded.

    Raises LocationFailed with the answer if it does not serve the file.
    """
    bounds = Bounds(connect=limit.seconds, stall=limit.seconds)
    try:
        with (
            Line(limit.check) as line,
            HttpSession(line) as session,
            _request(session, "HEAD", [url], {}, bounds) as response,
        ):
            told = f"HTTP {response.status_code} {response.reason}".rstrip()
            if not response.ok:
                raise LocationFailed(told)
            return told
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        limit.check()
        raise LocationFailed(innermost(error)) from error


def _attempt(order: Transfer, progress: Progress) -> tuple[str, ...]:
    """One try to get the whole file, or the rest of it; returns the requested addresses."""
    hops = [order.url]
    origin = order.partial.origin
    offset = order.partial.length if origin else 0
    headers = {"Range": f"bytes={offset}-", "If-Range": origin.validator} if origin else {}
    try:
        with (
            Line(order.check) as line,
            HttpSession(line) as session,
            _request(session, "GET", hops, headers if offset else {}, order.bounds) as answer,
        ):
            place = _place(order, answer, origin if offset else None, offset)
            if place is not None:
                # A short answer is for ``receive`` to judge, which tells how short it is.
                answer.raw.enforce_content_length = False
                receive(order, lambda: _read(answer, line), *place, progress)
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        ValueError,
    ) as error:
        _explain(error, order)
    return tuple(hops)


def _request(
    session: HttpSession, method: str, hops: list[str], headers: dict[str, str], bounds: Bounds
) -> requests.Response:
    """The first answer that is not a redirect.  Redirects never lead from https to http.

    ``hops``: the address to request; those that it redirects to are added.  Only the head of a
    redirect is read.
    """
    for _ in range(bounds.redirects + 1):
        response = send(session, method, hops[-1], headers, bounds)
        if response.status_code not in _REDIRECTS or "Location" not in response.headers:
            return response
        response.close()
        hops.append(_target(hops[-1], response.headers["Location"]))
    raise LocationFailed(f"more than {bounds.redirects} redirects")


def send(
    session: HttpSession,
    method: str,
    url: str,
    headers: dict[str, str],
    bounds: Bounds,
    *,
    body: IO[bytes] | bytes | None = None,
    password: Authentication | None = None,
) -> requests.Response:
    """One request; its answer's head, even if that is a redirect.

    ``body``: what is sent.  ``password``: what authenticates it (default: the URL's own user, or
    with https that of ``~/.netrc``).  Raises what Requests raises, and
    LocationFailed for bad proxies or certificates in the environment.
    """
    proxy.find(url)
    verify = authorities.find().verify if _is_secure(url) else True
    try:
        return session.request(
            method,
            url,
            headers=headers,
            data=body,
            auth=password or _own(url),
            stream=True,
            allow_redirects=False,
            timeout=(bounds.connect, bounds.stall),
            verify=verify,
        )
    except requests.RequestException:
        raise
    except OSError as error:  # a file with certificates that has gone meanwhile
        raise LocationFailed(str(error)) from error


def nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticates nobody.  Without it, Requests sends what ``~/.netrc`` has for the host."""
    return request


def _own(url: str) -> Authentication | None:
    """The URL's own user, before that of ``~/.netrc``, which is not sent in clear text."""
    user, password = get_auth_from_url(url)
    if user or password:
        return HTTPBasicAuth(user, password)
    return None if _is_secure(url) else nobody


def _is_secure(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _target(url: str, location: str) -> str:
    """Where a redirect leads; the header's bytes are taken as they are (RFC 9110, 5.5)."""
    text = location.encode("latin-1", "replace").strip(b" \t")
    try:
        target = urljoin(url, quote(text, safe=_AS_IT_IS))
        parts = urlsplit(target)
        nowhere = not parts.hostname or parts.port == 0
    except ValueError as error:
        raise LocationFailed(f"redirect to a malformed address: {error}") from error
    _judge_redirect(url, target)
    if nowhere:
        raise LocationFailed(f"redirect to a malformed address: {without_secrets(target)}")
    return target


def _judge_redirect(url: str, target: str) -> None:
    before, after = urlsplit(url).scheme, urlsplit(target).scheme
    if after not in ("http", "https"):
        raise LocationFailed(f"redirect to {without_secrets(target)}, which is not a web address")
    if before == "https" and after == "http":
        raise LocationFailed(f"redirect from https down to {without_secrets(target)}")


def _place(
    order: Transfer, response: requests.Response, origin: Origin | None, offset: int
) -> tuple[int, int | None] | None:
    """Where the body goes and the whole size; None if the partial file is whole already.

    ``origin``: that of the partial file, if its rest was requested.
    """
    status = response.status_code
    if origin is not None and status in (200, 206, 416):
        return _place_rest(order, response, origin, offset)
    if status == 200:
        return _place_whole(order, response)
    told = f"HTTP {status} {response.reason}".rstrip()
    if status in PASSING:
        raise TryAgain(told, moment.wait(response.headers))
    raise LocationFailed(told)


def _place_whole(order: Transfer, response: requests.Response) -> tuple[int, int | None]:
    size = _size(response)
    order.partial.remember(_validator(response), size)
    return 0, size


def _place_rest(
    order: Transfer, response: requests.Response, origin: Origin, offset: int
) -> tuple[int, int | None] | None:
    """The same for an answer to a request for the rest; if in doubt, the download starts again."""
    status = response.status_code
    if status == 200 and origin.total is not None and _size(response) == origin.total:
        return _place_whole(order, response)
    start, total = _content_range(response)
    same = _is_same(origin, response, total)
    if status == 206 and start == offset and same:
        return offset, origin.total if total is None else total
    if status == 416 and total == offset and same:
        return None
    # A 200 of another size may be the slice alone, or another file: the whole will show.
    order.partial.drop()
    raise TryAgain(f"HTTP {status}: the part from before does not match")


def _is_same(origin: Origin, response: requests.Response, total: int | None) -> bool:
    """Whether an answer about a part is about the noted file, as far as it says."""
    kind = "ETag" if origin.validator.startswith('"') else "Last-Modified"
    validator = response.headers.get(kind, origin.validator)
    return validator == origin.validator and (
        total is None or origin.total is None or total == origin.total
    )


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Start and whole size of a Content-Range (RFC 9110, 14.4).

    An answer of several parts (14.6) has ranges in its body, and none that would count before it.
    """
    if response.headers.get("Content-Type", "").lower().startswith("multipart/"):
        return None, None
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is None:
        return None, None
    start, total = match.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)


def _size(response: requests.Response) -> int | None:
    """Content-Length, where it holds (RFC 9112, 6.3); LocationFailed if it is not a length."""
    length = response.headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in response.headers:
        return None
    told = {word.strip() for word in length.split(",")}
    if len(told) != 1 or not _NUMBER.match(length.partition(",")[0].strip()):
        raise LocationFailed(f"its Content-Length is not a length: {length!r}")
    return int(told.pop())


def _validator(response: requests.Response) -> str | None:
    """What If-Range may carry: a strong ETag, else the time of the last change."""
    tag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    if _TAG.match(tag):
        return str(tag)
    return str(date) if _DATE.match(date) else None


def _read(response: requests.Response, line: Line) -> bytes:
    # read1 returns what has come; read would wait for a full chunk from a dripping server.
    data: bytes = response.raw.read1(CHUNK, decode_content=False)
    line.earn(len(data))
    return data


def _explain(error: Exception, order: Transfer) -> NoReturn:
    if isinstance(error, requests.exceptions.SSLError):
        raise LocationFailed(f"TLS: {innermost(error)} ({authorities.find()})") from error
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        raise TryAgain(f"no answer or no data for {order.bounds.stall:g} s") from error
    if isinstance(error, requests.exceptions.ProxyError):
        raise TryAgain(f"{innermost(error)}{_through(order.url)}") from error
    if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
        raise TryAgain(innermost(error)) from error
    if isinstance(error, http.client.HTTPException):
        raise TryAgain(innermost(error)) from error
    raise LocationFailed(str(error)) from error


def _through(url: str) -> str:
    found = proxy.find(url)
    return f" (the proxy of {found.variable})" if found else ""


def innermost(error: BaseException) -> str:
    """The plain reason inside the layers that urllib3 and Requests wrap around it."""
    reason: object = error
    # What is below an exception of the standard library's client is a detail of its code.
    while isinstance(reason, BaseException) and not isinstance(reason, http.client.HTTPException):
        inner = getattr(reason, "reason", None) or reason.__cause__ or reason.__context__
        if not isinstance(inner, BaseException):
            break
        reason = inner
    if isinstance(reason, http.client.IncompleteRead):
        return "its chunked answer is cut or malformed"
    if isinstance(reason, http.client.BadStatusLine) and not isinstance(
        reason, http.client.RemoteDisconnected
    ):
        words = str(reason).strip()
        plain = words.isascii() and words.isprintable()
        return f"it does not answer in HTTP: {words}" if plain else "it does not answer in HTTP"
    return f"{type(reason).__name__}: {reason}"
