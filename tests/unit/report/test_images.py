"""build.json and the report say of which packages the base was, and whether these are locked."""

from __future__ import annotations

import pytest

from builder.base.packages import BasePackage
from builder.digest import Digest
from builder.report import html, record
from builder.report.record import BuildRecord, ImageRecord

PACKAGES = tuple(BasePackage(f"p{number}", "1", "all", Digest("a" * 64)) for number in range(417))
LOCK = "dockerfiles/debian12/packages.lock"


def page(image: ImageRecord) -> str:
    made = BuildRecord("p", "f", "debian12", (), (), images=(image,))
    assert record.decode(record.encode(made)) == made
    return html.render(made, None)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (ImageRecord("image:build", "build", PACKAGES), "not locked"),
        (ImageRecord("image:build", "build", PACKAGES, LOCK, 0), f"equals <code>{LOCK}</code>"),
        (
            ImageRecord("image:build", "build", PACKAGES, LOCK, 3, "1 added, 2 missing"),
            f"3 differ</span> from <code>{LOCK}</code>: 1 added, 2 missing",
        ),
        (
            ImageRecord("image:build", "build", PACKAGES, LOCK, 1, "1 added"),
            f"1 differs</span> from <code>{LOCK}</code>: 1 added",
        ),
    ],
)
def test_the_report_counts_packages_and_holds_them_against_the_lock(
    image: ImageRecord, words: str
) -> None:
    told = page(image)
    assert '<th scope="row">image:build</th>' in told
    assert '<td class="n">417</td>' in told
    assert words in told


def test_a_record_of_an_earlier_builder_has_no_images() -> None:
    made = record.encode(BuildRecord("p", "f", "b", (), ()))
    assert record.decode(made.replace(b'"images": []', b'"other": []')).images == ()
