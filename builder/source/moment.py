"""The dates of HTTP, and how long a server asks to be left alone (RFC 9110, 5.6.7 and 10.2.3)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST = 1e9
"""Seconds; a wait of more, or of a number with more digits, is shown as that."""
_SECONDS = re.compile(r"\d+", re.ASCII)
_CENTURY = re.compile(r"^[A-Za-z]+day, (\d\d-[A-Za-z]{3})-(\d\d) ", re.ASCII)  # RFC 850


def wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, never negative; None if it has neither number nor date.

    A date is held against the server's own clock, where the answer tells it.
    """
    asked = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(asked):
        return min(LONGEST, float(asked))
    until, now = read(asked), read(headers.get("Date", ""))
    if until is None:
        return None
    now = now or datetime.datetime.now(tz=datetime.UTC)
    return min(LONGEST, max(0.0, (until - now).total_seconds()))


def read(text: str) -> datetime.datetime | None:
    """A date in one of HTTP's three forms, which are all in UTC; None if it is none."""
    try:
        moment = parsedate_to_datetime(text.strip())
        if moment.tzinfo is None:  # asctime's form has no zone
            moment = moment.replace(tzinfo=datetime.UTC)
        if _CENTURY.match(text.strip()):
            moment = _nearest(moment)
        return moment.astimezone(datetime.UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # no date, or one of no calendar
        return None


def _nearest(moment: datetime.datetime) -> datetime.datetime:
    """The year of two digits that is not more than 50 years ahead."""
    this = datetime.datetime.now(tz=datetime.UTC).year
    year = this - this % 100 + moment.year % 100
    return moment.replace(year=year - 100 if year > this + 50 else year)
