"""A snapshot mirror, named in base.toml or in the environment, is asked instead of all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.base import vault
from builder.base.image import identity
from builder.base.mmdebstrap import apt_sources
from builder.base.model import Yum, load_base
from builder.base.snapshot import VARIABLE
from builder.errors import SourceUnreachable, UsageError
from tests.unit.base.test_base import SETTINGS, YUM

DATED = "http://snapshot.invalid/debian/20261126T103000Z"
ENTRY = f"deb [signed-by=/k.gpg] {DATED} bookworm main"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(vault.VARIABLE, raising=False)
    monkeypatch.setattr(
        "builder.base.mmdebstrap.host_sources", lambda: pytest.fail("not the host's")
    )
    for name in ("build.txt", "guest.txt", "key"):
        (tmp_path / name).write_text("make\n")
    return tmp_path


def write(folder: Path, text: str, *entries: str) -> None:
    (folder / "base.toml").write_text(f"snapshot = {list(entries)!r}\n{text}")


def test_apt_is_given_the_entries_and_takes_an_old_index(folder: Path) -> None:
    write(folder, SETTINGS, ENTRY, f"deb {DATED}-security bookworm-security main contrib")
    assert apt_sources(load_base(folder)) == (
        f"Types: deb\nURIs: {DATED}\nSuites: bookworm\nComponents: main\n"
        "Signed-By: /k.gpg\nCheck-Valid-Until: no\n\n"
        f"Types: deb\nURIs: {DATED}-security\nSuites: bookworm-security\n"
        "Components: main contrib\nCheck-Valid-Until: no\n"
    )


def test_the_environment_goes_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, SETTINGS, ENTRY)
    monkeypatch.setenv(VARIABLE, "deb http://a.invalid bookworm main; deb file:/b bookworm main")
    named = apt_sources(load_base(folder))
    assert DATED not in named
    assert ("http://a.invalid" in named, "file:/b" in named) == (True, True)


def test_which_mirror_is_asked_does_not_change_what_a_base_is(folder: Path) -> None:
    write(folder, SETTINGS)
    before = identity(load_base(folder), "build")
    write(folder, SETTINGS, ENTRY)
    assert identity(load_base(folder), "build") == before


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("http://x.invalid", "not of the form"),
        ("deb-src http://x.invalid bookworm main", "not of the form"),
        ("deb http://x.invalid bookworm", "not of the form"),
        ("deb cdrom:[x] bookworm main", "not of the form"),
        ("deb http://x.invalid trixie main", "'trixie' is not a suite of bookworm"),
        ("deb [trusted=yes] http://x.invalid bookworm main", "has the option 'trusted'"),
        ("deb [allow-insecure=yes] http://x.invalid bookworm main", "'allow-insecure'"),
        ("deb rsh://x.invalid/a bookworm main", "'rsh' is none of"),
        ("deb http:///a bookworm main", "the URL has no host"),
    ],
)
def test_an_entry_that_is_none_is_refused_where_it_is_named(
    folder: Path, entry: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, SETTINGS, entry)
    with pytest.raises(UsageError) as caught:
        load_base(folder)
    assert caught.value.what == f"{folder.name}/base.toml:1 cannot be used"
    assert words in caught.value.cause
    write(folder, SETTINGS)
    monkeypatch.setenv(VARIABLE, entry)
    with pytest.raises(UsageError) as caught:
        load_base(folder)
    assert caught.value.what == f"{VARIABLE} cannot be used for base small"
    assert words in caught.value.cause


def test_a_snapshot_of_the_vault_is_asked_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, YUM, "https://snapshot.invalid/vault")
    monkeypatch.setenv(vault.VARIABLE, "https://vault.example.invalid")
    settings = load_base(folder).settings
    assert isinstance(settings, Yum)
    asked = []

    def refuse(url: str) -> str:
        asked.append(url)
        raise OSError("no")

    with pytest.raises(SourceUnreachable) as caught:
        vault.choose(settings, refuse)
    assert asked == ["https://snapshot.invalid/vault/6.10/os/x86_64/repodata/repomd.xml"]
    assert VARIABLE in caught.value.hint
    monkeypatch.setenv(VARIABLE, "deb http://a.invalid bookworm main")
    with pytest.raises(UsageError, match=r"blank|none of"):
        load_base(folder)
