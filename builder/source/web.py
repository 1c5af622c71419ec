"""Downloads over HTTP: resumed, retried, bounded in every direction."""

from __future__ import annotations

import datetime
import email.utils
import re
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from builder.source.model import without_secrets
from builder.source.transfer import CHUNK, LocationFailed, Transfer, TryAgain, persist, receive

if TYPE_CHECKING:
    from builder.console import Progress

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth another try, RFC 9110 15.5, 15.6
_CONTENT_RANGE = re.compile(r"^bytes (?:(\d+)-\d+|\*)/(\d+|\*)$")


def download(order: Transfer) -> None:
    """Fill the order's partial file from its URL; return when it is whole.

    Raises LocationFailed with the server's answer, EnvironmentFailure if the disk is full,
    Interrupted if stopped; what was got stays for the next run.
    """
    with requests.Session() as session:
        session.headers.update({"Accept-Encoding": "identity", "User-Agent": "lvs-builder"})
        persist(order, lambda progress: _attempt(session, order, progress))


def _attempt(session: requests.Session, order: Transfer, progress: Progress) -> None:
    validator = order.partial.validator
    offset = order.partial.length if validator else 0
    headers = {"Range": f"bytes={offset}-", "If-Range": validator or ""} if offset else {}
    try:
        with _request(session, order, headers) as response:
            place = _place(order, response, offset)
            if place is None:
                return
            # A short answer is for ``receive`` to judge, which tells how short it is.
            response.raw.enforce_content_length = False
            receive(order, lambda: _read(response), *place, progress)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        _explain(error, order)


def _request(
    session: requests.Session, order: Transfer, headers: dict[str, str]
) -> requests.Response:
    """The first answer that is no redirect.  Redirects never lead from https to http."""
    url = order.url
    for _ in range(order.bounds.redirects + 1):
        order.check()
        response = session.get(
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(order.bounds.connect, order.bounds.stall),
        )
        if response.status_code not in _REDIRECTS or "Location" not in response.headers:
            return response
        response.close()
        target = urljoin(url, response.headers["Location"])
        _judge_redirect(url, target)
        url = target
    raise LocationFailed(f"more than {order.bounds.redirects} redirects")


def _judge_redirect(url: str, target: str) -> None:
    before, after = urlsplit(url).scheme, urlsplit(target).scheme
    if after not in ("http", "https"):
        raise LocationFailed(f"redirect to {without_secrets(target)}, which is no web address")
    if before == "https" and after == "http":
        raise LocationFailed(f"redirect from https down to {without_secrets(target)}")


def _place(
    order: Transfer, response: requests.Response, offset: int
) -> tuple[int, int | None] | None:
    """Where the body goes and the whole size; None if the partial file is whole already."""
    status = response.status_code
    start, total = _content_range(response)
    if status == 206 and offset and start == offset:
        return offset, total
    if status == 416 and offset:
        if total == offset:
            return None
        order.partial.drop()
        raise TryAgain("HTTP 416: what was got before no longer fits")
    if status == 200:
        size = _size(response)
        order.partial.remember(_validator(response), size)
        return 0, size
    answer = f"HTTP {status} {response.reason}".rstrip()
    if status in _PASSING:
        raise TryAgain(answer, _retry_after(response))
    raise LocationFailed(answer)


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Start and whole size of a Content-Range (RFC 9110, 14.4)."""
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is None:
        return None, None
    start, total = match.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)


def _size(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _validator(response: requests.Response) -> str | None:
    """What If-Range may carry: a strong ETag, else the time of the last change."""
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return response.headers.get("Last-Modified")


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that Retry-After asks for; it has seconds or a date (RFC 9110, 10.2.3)."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        moment = email.utils.parsedate_to_datetime(asked)
    except ValueError:
        return None
    now = datetime.datetime.now(tz=moment.tzinfo)
    return max(0.0, (moment - now).total_seconds())


def _read(response: requests.Response) -> bytes:
    # read1 returns what has come; read would wait for a full chunk from a dripping server.
    data: bytes = response.raw.read1(CHUNK, decode_content=False)
    return data


def _explain(error: Exception, order: Transfer) -> NoReturn:
    if isinstance(error, requests.exceptions.SSLError):
        raise LocationFailed(f"TLS: {_innermost(error)}") from error
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        raise TryAgain(f"no answer or no data for {order.bounds.stall:g} s") from error
    if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
        raise TryAgain(_innermost(error)) from error
    raise LocationFailed(without_secrets(str(error))) from error


def _innermost(error: BaseException) -> str:
    """The plain reason inside the layers that urllib3 and Requests wrap around it."""
    reason: object = error
    while isinstance(reason, BaseException):
        inner = getattr(reason, "reason", None) or reason.__cause__ or reason.__context__
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return f"{type(reason).__name__}: {reason}"
