"""A source that its vendor signed, fetched with what the operator accepts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.source import accepted
from builder.source.fetch import fetch
from builder.source.model import Fetched, Location, SigningKey, Source
from tests.support.el6.signing import Key, throwaway_key
from tests.support.source import rpms
from tests.support.source.site import QUICK, Site

BY_DIGEST = "unsigned, accepted by you (sources/accepted.toml)"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Key]:
    with throwaway_key("The Vendor") as made:
        yield made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rpms.build(tmp_path_factory.mktemp("srpm"))


def signed_source(site: Site, vendor: Key) -> Source:
    keys = site.lock.path.parent
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "vendor").write_text(vendor.public)
    signed_by = (SigningKey("vendor", vendor.fingerprint),)
    return Source("kernel", rpms.NAME, (Location("file:none"),), signed_by=signed_by)


def take(site: Site, vendor: Key, text: str = "", *, locked: bool = False) -> Fetched:
    source = signed_source(site, vendor)
    if text:
        (site.project.dropin / "accepted.toml").write_text(text)
    found = accepted.read(site.project, "lts", frozenset({"kernel"}))
    return fetch(
        source,
        cache=site.cache,
        project=site.project,
        lock=site.lock,
        console=site.console,
        locked=locked,
        bounds=QUICK,
        acceptance=found.get("kernel"),
    )
