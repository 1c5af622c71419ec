"""FTP locations are resumed and retried as web locations are."""

from __future__ import annotations

import pytest

from builder.errors import SourceUnreachable
from builder.source.transfer import Partial
from tests.support.source import ftpserver
from tests.support.source.server import BODY, DIGEST
from tests.support.source.site import Site, source_of


def test_a_broken_transfer_goes_on_where_it_broke(site: Site) -> None:
    with ftpserver.serve() as (port, log):
        url = f"ftp://127.0.0.1:{port}/pub/x.tar"
        got = site.fetch(source_of(url))
        assert got.path.read_bytes() == BODY
        assert "REST 400000" in log
        assert "USER anonymous" in log
        partial = Partial.of(site.cache.partial, url)
        partial.path.write_bytes(BODY)
        partial.remember(f"{len(BODY)} ", len(BODY))
        transfers = sum(line.startswith("RETR") for line in log)
        assert site.fetch(source_of(url), update=True).sha256 == DIGEST
        assert sum(line.startswith("RETR") for line in log) == transfers


@pytest.mark.parametrize(
    ("path", "answer"), [("/missing", "550 no such file"), ("/a%0Ab", "illegal newline")]
)
def test_a_refusal_is_told(site: Site, path: str, answer: str) -> None:
    with ftpserver.serve() as (port, _), pytest.raises(SourceUnreachable, match=answer):
        site.fetch(source_of(f"ftp://127.0.0.1:{port}{path}"))


@pytest.mark.parametrize("noted", [f"{len(BODY)} 213 20190101000000", f"{len(BODY) + 5} "])
def test_parts_of_two_files_are_never_joined(site: Site, noted: str) -> None:
    """What is there is of a file of another time, or of another size."""
    with ftpserver.serve() as (port, log):
        url = f"ftp://127.0.0.1:{port}/pub/x.tar"
        partial = Partial.of(site.cache.partial, url)
        partial.path.write_bytes(b"x" * 1000)
        partial.remember(noted, len(BODY))
        assert site.fetch(source_of(url)).sha256 == DIGEST
        assert "REST 1000" not in log
