"""An operator may take what nobody accepted has signed, and it is told ever after."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.digest import Digest, of_file
from builder.errors import UsageError, VerificationError
from builder.host.paths import Project
from builder.pipeline.facts import FetchFacts
from builder.report import html, record
from builder.report.record import BuildRecord, StageRecord
from builder.source import accepted
from builder.source.accepted import Acceptance
from builder.source.model import Location, Source
from tests.support.el6.signing import Key
from tests.support.source import rpms
from tests.support.source.accepting import BY_DIGEST, plain, take, vendor
from tests.support.source.site import Site

__all__ = ["plain", "vendor"]  # fixtures


def test_an_unsigned_one_is_refused_with_the_recipe_that_takes_it(
    site: Site, vendor: Key, plain: Path
) -> None:
    site.drop_in(rpms.NAME, plain.read_bytes())
    with pytest.raises(VerificationError, match="is not signed") as failure:
        take(site, vendor)
    command = failure.value.hint[failure.value.hint.index("printf ") :]
    subprocess.run(["sh", "-c", command], check=True)
    got = take(site, vendor)
    assert (got.sha256, got.verified) == (of_file(plain), BY_DIGEST)
    assert f"kernel: {BY_DIGEST}" in site.said.getvalue()
    assert not site.lock.path.exists()
    assert take(site, vendor, locked=True).verified == BY_DIGEST
    (site.project.dropin / "accepted.toml").unlink()
    with pytest.raises(VerificationError, match="is not signed"):
        take(site, vendor)


def test_a_digest_accepts_these_bytes_alone(site: Site, vendor: Key, plain: Path) -> None:
    site.drop_in(rpms.NAME, plain.read_bytes())
    with pytest.raises(VerificationError) as failure:
        take(site, vendor, f'[lts.kernel]\nsha256 = "{"0" * 64}"\n')
    assert of_file(plain) in failure.value.cause
    assert "0" * 64 in failure.value.cause


def test_other_bytes_than_the_accepted_ones_are_told_with_the_file_that_is_wrong(
    site: Site, vendor: Key, plain: Path
) -> None:
    other = f'[lts.kernel]\nsha256 = "{"0" * 64}"\n'
    site.drop_in(rpms.NAME, plain.read_bytes())
    with pytest.raises(VerificationError) as failure:
        take(site, vendor, other)
    assert "correct the digest in sources/accepted.toml" in failure.value.hint
    assert "fetch --update" not in failure.value.hint
    (site.project.dropin / rpms.NAME).rename(site.project.root / "none")  # its location
    with pytest.raises(VerificationError, match="is not what was pinned") as failure:
        take(site, vendor, other)
    assert "correct the digest in sources/accepted.toml" in failure.value.hint


def test_a_key_that_is_not_there_is_named_with_the_command_that_makes_it(
    site: Site, vendor: Key, plain: Path
) -> None:
    site.drop_in(rpms.NAME, plain.read_bytes())
    text = f'[lts.kernel]\nkey = "none.asc"\nfingerprint = "{"A" * 40}"\n'
    with pytest.raises(UsageError, match=r"sources/none\.asc is not a file") as failure:
        take(site, vendor, text)
    assert "accepted.toml" in failure.value.what
    assert f"gpg --armor --export {'A' * 40}" in failure.value.hint


@pytest.mark.parametrize("made", ["file", "link", "link of the file", "folder of the file"])
def test_what_hides_the_file_is_told(tmp_path: Path, made: str) -> None:
    project = Project(tmp_path)
    (project.specs / "lts").mkdir(parents=True)
    if made.endswith("of the file"):
        project.dropin.mkdir()
    place = project.dropin / "accepted.toml" if made.endswith("of the file") else project.dropin
    if made == "file":
        place.write_text("")
    elif made.startswith("link"):
        place.symlink_to(tmp_path / "none")
    else:
        place.mkdir()
    with pytest.raises(UsageError, match=r"not a folder|does not exist|not a regular file"):
        accepted.read(project, "lts", frozenset({"kernel"}))


def test_what_the_vendor_signed_needs_no_acceptance(
    site: Site, vendor: Key, plain: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.rpm"
    shutil.copy(plain, copy)
    site.drop_in(rpms.NAME, rpms.sign(copy, vendor).read_bytes())
    got = take(site, vendor)
    assert got.verified.startswith("signed by The Vendor")
    assert "accepted by you" not in got.verified
    got = take(site, vendor, f'[lts.kernel]\nsha256 = "{of_file(copy)}"\n')
    assert "accepted by you" not in got.verified


def test_what_is_damaged_is_not_offered(site: Site, vendor: Key, plain: Path) -> None:
    site.drop_in(rpms.NAME, plain.read_bytes()[:-1])
    with pytest.raises(VerificationError, match="an RPM that is damaged or cut off") as failure:
        take(site, vendor)
    assert "accepted.toml" not in failure.value.hint


KEY = f'key = "k"\nfingerprint = "{"A" * 40}"\n'
SHA = f'sha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[lts.kernel]\n", 1, "either sha256, or key and fingerprint"),
        (f"[lts.kernel]\n{SHA}{KEY}", 1, "either sha256, or key and fingerprint"),
        ('[lts.kernel]\nkey = "k"\n', 1, "either sha256, or key and fingerprint"),
        (f"[lts.kernel]\n{SHA}key = 'k'\n", 1, "either sha256, or key and fingerprint"),
        ('[lts.kernel]\nsha256 = "../x"\n', 2, "SHA-256"),
        ("[lts.kernel]\nsha256 = 5\n", 2, "string"),
        (f"[lts.kernel]\n{KEY.replace('A', 'a')}", 3, "fingerprint"),
        (f'[lts.kernel]\nkey = "../k"\nfingerprint = "{"A" * 40}"\n', 2, "path"),
        (f"[lts.kernel]\n{SHA}unsigned = true\n", 3, "unsigned"),
        (f"[lts.kernle]\n{SHA}", 1, "has no source kernle; it has kernel"),
        (f"[tls.kernel]\n{SHA}", 1, "'tls' is not a profile in specs/"),
        (f'["../lts".kernel]\n{SHA}', 1, "is not a profile in specs/"),
        (f"[kernel]\n{SHA}", 1, "is not a profile in specs/"),
        ("[lts]\nkernel = 1\n", 1, "object"),
        ("sha256 = 1\n", 1, "is not a profile"),
        ("[lts.kernel\n", 1, "Expected"),
        (f"[other.x]\n{KEY}{SHA}", 1, "either sha256"),
    ],
)
def test_the_file_is_judged_strictly(tmp_path: Path, text: str, line: int, words: str) -> None:
    project = Project(tmp_path)
    for name in ("lts", "other"):
        (project.specs / name).mkdir(parents=True)
    project.dropin.mkdir()
    (project.dropin / "accepted.toml").write_text(text)
    with pytest.raises(UsageError) as failure:
        accepted.read(project, "lts", frozenset({"kernel"}))
    assert failure.value.what == f"sources/accepted.toml:{line} cannot be used"
    assert words in failure.value.cause


def test_git_ignores_the_file() -> None:
    root = Path(__file__).resolve().parents[3]
    argv = ["git", "-C", str(root), "check-ignore", "-q", f"sources/{accepted.FILE}"]
    assert subprocess.run(argv, check=False).returncode == 0


def test_the_report_tells_how_each_source_was_verified() -> None:
    facts = FetchFacts("sources/x", Digest("0" * 64), "", "", BY_DIGEST)
    stage = StageRecord("fetch:kernel", Digest("0" * 64), True, 0.0, 0.0, {}, facts)
    page = html.render(record.decode(record.encode(BuildRecord("p", "f", "b", (stage,), ()))), None)
    assert f"<b>{BY_DIGEST}</b>" in page


def test_an_acceptance_by_digest_replaces_all_others() -> None:
    old, new = Digest("0" * 64), Digest("1" * 64)
    source = Source("tool", "tool.tar", (Location("file:x", sha256=old),), sha256=old)
    narrowed = Acceptance(sha256=new).narrow(source)
    assert (narrowed.sha256, narrowed.locations[0].sha256) == (new, None)
