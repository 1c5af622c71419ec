"""The edits that move a source: versions, file name, locations, and the changelog with its date."""

from __future__ import annotations

import datetime
import re

from builder.profile.build import DATE_FORMAT
from builder.profile.model import Component, Profile
from builder.source.model import Location, Source
from builder.update.edit import Change
from builder.update.offer import Offer, renamed, version_of
from builder.values import MONTHS, WEEKDAYS

_NUMBER = re.compile(r"^\d+")


def changes(
    profile: Profile,
    source: Source,
    offer: Offer,
    today: datetime.date,
    *,
    same: bool,
) -> tuple[Change, ...]:
    """The changes to profile.toml when ``source`` moves to ``offer``.

    ``same``: its content is the pinned one.  Then another revision of the same version alters no
    package, so they keep their release and their changelog.
    The changelog's date, which is the builds' SOURCE_DATE_EPOCH, never goes back.
    """
    current = version_of(profile, source)
    made: list[Change] = []
    if not (same and offer.version == current):
        made += _components(profile, source, current, offer)
        made += _changelog(profile, source, current, offer, today)
    moved = renamed(source.file, current, offer.version)
    made.append(Change(("source", source.name, "file"), source.file, moved))
    for number, location in enumerate(source.locations):
        place = ("source", source.name, "locations", number, "url")
        made.append(Change(place, location.url, _moved(location, current, offer)))
        beside = ("source", source.name, "locations", number, "signature")
        new = renamed(location.signature, current, offer.version)
        made.append(Change(beside, location.signature, new))
    return tuple(change for change in made if change.old != change.new)


def _components(profile: Profile, source: Source, current: str, offer: Offer) -> list[Change]:
    made: list[Change] = []
    for name, component in profile.component.items():
        if component.source != source.name or component.version != current:
            continue
        place = ("component", name)
        if offer.version != current:
            made.append(Change((*place, "version"), current, offer.version))
        else:
            # The same version with other content: packages of one name must not differ.
            made.append(_raised(name, component))
    if made:
        # What has no source is a package of the others, which requires their exact releases.
        made += [_raised(*one) for one in profile.component.items() if not one[1].source]
    return made


def _raised(name: str, component: Component) -> Change:
    """The next release of a component."""
    release = _NUMBER.sub(lambda found: str(int(found[0]) + 1), component.release)
    return Change(("component", name, "release"), component.release, release)


def _moved(location: Location, current: str, offer: Offer) -> str:
    """A location's URL for the new release."""
    if not location.is_packaged:
        return renamed(location.url, current, offer.version)
    asked, equals, _ = location.url.partition("=")
    return f"{asked}={offer.revision}" if equals and asked == offer.place else location.url


def _changelog(
    profile: Profile, source: Source, current: str, offer: Offer, today: datetime.date
) -> list[Change]:
    entry = profile.changelog
    before = datetime.datetime.strptime(entry.date, DATE_FORMAT).date()
    day = max(before, today)
    date = f"{WEEKDAYS[day.weekday()]} {MONTHS[day.month - 1]} {day.day:02} {day.year}"
    if offer.version == current:
        text = f"{source.name} {offer.version}, {offer.revision}"
    elif current in entry.text:
        text = entry.text.replace(current, offer.version)
    elif offer.version in entry.text:
        text = entry.text
    else:
        text = f"{source.name} {offer.version}"
    return [
        Change(("changelog", "date"), entry.date, date),
        Change(("changelog", "text"), entry.text, text),
    ]
