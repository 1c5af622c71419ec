"""An operator may take what nobody accepted has signed, and it is told ever after."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import of_file
from builder.errors import VerificationError
from tests import world
from tests.support.el6.signing import Key, throwaway_key
from tests.support.source import rpms
from tests.support.source.accepting import BY_DIGEST, plain, take, vendor
from tests.support.source.site import Site

__all__ = ["plain", "vendor"]  # fixtures


@pytest.fixture(scope="module")
def own() -> Iterator[Key]:
    with throwaway_key("The Operator") as made:
        yield made


def test_what_another_signed_is_told_to_be_so(
    site: Site, vendor: Key, own: Key, plain: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.rpm"
    shutil.copy(plain, copy)
    site.drop_in(rpms.NAME, rpms.sign(copy, own).read_bytes())
    with pytest.raises(VerificationError, match="key that is not accepted") as failure:
        take(site, vendor)
    assert "accepted.toml" in failure.value.hint
    got = take(site, vendor, f'[lts.kernel]\nsha256 = "{of_file(copy)}"\n')
    assert got.verified == "not signed by an accepted key, accepted by you (sources/accepted.toml)"
    (site.project.dropin / "own.asc").write_text(own.public)
    text = f'[lts.kernel]\nkey = "own.asc"\nfingerprint = "{own.fingerprint}"\n'
    got = take(site, vendor, text)
    assert got.verified.startswith(f"signed by The Operator, key {own.fingerprint}")
    assert got.verified.endswith(", accepted by you (sources/accepted.toml)")
    (site.project.dropin / "accepted.toml").unlink()
    with pytest.raises(VerificationError, match="key that is not accepted"):
        take(site, vendor)


def test_every_run_says_so(tmp_path: Path, vendor: Key, plain: Path) -> None:
    """And the stage's record, which build.json has, until the exception is taken back."""
    own = world.make(tmp_path / "project", tmp_path / "cache")
    folder = own.project / "specs/small"
    (folder / "vendor").write_text(vendor.public)
    (own.project / "sources").mkdir()
    shutil.copy(plain, own.project / "sources" / rpms.NAME)
    with (folder / "profile.toml").open("a") as file:
        file.write(
            f'\n[source.srpm]\nfile = "{rpms.NAME}"\nlocations = [{{ url = "file:none" }}]\n'
            f'signed_by = [{{ key = "vendor", fingerprint = "{vendor.fingerprint}" }}]\n'
        )
    refused = own.run("fetch", "--profile", "small")
    assert refused.status == 4
    hint = refused.errors[refused.errors.index("printf ") :].splitlines()[0]
    subprocess.run(["sh", "-c", hint], check=True)
    for _ in range(2):
        taken = own.run("fetch", "--profile", "small")
        assert taken.status == 0, taken.errors
        assert f"fetch:srpm: {BY_DIGEST}" in taken.errors
        assert f"verified: {BY_DIGEST}" in taken.output
    assert "srpm" not in (folder / "sources.lock").read_text()
    (own.project / "sources/accepted.toml").unlink()
    assert own.run("fetch", "--profile", "small").status == 4
