"""A base's lock: read strictly, written whole, and what differs from it by name."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from builder.base import lock
from builder.base.difference import SHOWN, compare, count, kinds, named
from builder.base.lock import LockedRoot
from builder.base.packages import BasePackage
from builder.digest import Digest
from builder.errors import UsageError

ONE, TWO = Digest("1" * 64), Digest("2" * 64)
MADE = datetime.datetime(2026, 11, 26, 10, 30, tzinfo=datetime.UTC)
LIBC = BasePackage("libc6", "2.36-9", "amd64", ONE)
CXX = BasePackage("libstdc++6", "12.2.0-14", "amd64", TWO)
ADDUSER = BasePackage("adduser", "3.134", "all", TWO)
BUILD = LockedRoot(MADE, (ADDUSER, LIBC, CXX))
GUEST = LockedRoot(MADE, (LIBC,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "debian12"
    folder.mkdir()
    return lock.path_of(folder)


def test_what_is_written_is_read_and_other_roots_stay(path: Path) -> None:
    assert lock.read(path) is None
    assert lock.write(path, {"build": BUILD, "guest.systemd": GUEST})
    assert lock.write(path, {"guest.a.b": LockedRoot(MADE, ())})
    assert lock.read(path) == {
        "build": BUILD,
        "guest.systemd": GUEST,
        "guest.a.b": LockedRoot(MADE, ()),
    }


def test_the_file_has_one_line_for_each_package(path: Path) -> None:
    lock.write(path, {"build": BUILD, "guest.systemd": GUEST})
    text = path.read_text()
    assert text.startswith("# The packages that the images of base debian12 are made of")
    assert "invoke image --lock" in text
    line = f'"libstdc++6:amd64" = {{ version = "12.2.0-14", sha256 = "{TWO}" }}\n'
    assert f"\n{line}" in text
    assert text.count('"libc6:amd64"') == 2
    assert "made = 2026-11-26T10:30:00Z" in text


def test_the_same_packages_do_not_change_the_file(path: Path) -> None:
    lock.write(path, {"build": BUILD})
    before = path.stat()
    later = LockedRoot(MADE + datetime.timedelta(days=9), BUILD.packages)
    assert not lock.write(path, {"build": later})
    assert path.stat().st_ino == before.st_ino
    assert [one.name for one in path.parent.iterdir()] == [lock.FILE_NAME]


def test_two_versions_of_a_package_are_kept_both(path: Path) -> None:
    kernels = tuple(BasePackage("kernel", version, "x86_64", ONE) for version in ("2-1", "3-1"))
    lock.write(path, {"build": LockedRoot(MADE, kernels)})
    assert lock.read(path) == {"build": LockedRoot(MADE, kernels)}


TEXT = f"""\
[build]
made = 2026-11-26T10:30:00Z

[build.packages]
"adduser:all" = {{ version = "3.134", sha256 = "{TWO}" }}
"libc6:amd64" = {{ version = "2.36-9", sha256 = "{ONE}" }}
"libstdc++6:amd64" = {{ version = "12.2.0-14", sha256 = "{TWO}" }}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (f'sha256 = "{ONE}"', f'sha256 = "{ONE[1:]}"', 6, "not a SHA-256 digest"),
        (f'"2.36-9", sha256 = "{ONE}"', '"2.36-9"', 6, "sha256"),
        ('version = "12.2.0-14"', "version = 12", 7, "version"),
        ('version = "12.2.0-14"', 'version = ""', 7, "version"),
        ('version = "12.2.0-14"', 'colour = "red"', 7, "colour"),
        ('"libc6:amd64" = { v', '"libc6" = { v', 6, "not of the form NAME:ARCHITECTURE"),
        ('"libc6:amd64" = { v', '"../../x:amd64" = { v', 6, "not of the form NAME:ARCHITECTURE"),
        ('"libc6:amd64" = { v', '"libc6:amd64" = [{ v', 7, "line 7"),
        ('"libc6:amd64" = { v', '"adduser:all" = { v', 6, "line 6"),
        ("made = 2026-11-26T10:30:00Z", "made = 2026-11-26T10:30:00", 2, "timezone"),
        ("made = 2026-11-26T10:30:00Z", 'made = "today"', 2, "made"),
        ("made = 2026-11-26T10:30:00Z\n", "", 1, "made"),
        ("[build]\n", "colour = 1\n[build]\n", 1, "colour"),
        ("[build]\n", '[guest."-"]\n[build]\n', 1, "not the name of a guest root"),
        ("<<<", "<<<", 8, "line 8"),
    ],
)
def test_a_damaged_lock_is_refused_with_file_and_line(
    path: Path, old: str, new: str, line: int, words: str
) -> None:
    if old == "<<<":
        path.write_text(f"{TEXT}<<<<<<< HEAD\n")
    else:
        assert TEXT.count(old) == 1
        path.write_text(TEXT.replace(old, new))
    with pytest.raises(UsageError) as caught:
        lock.read(path)
    assert caught.value.what == f"debian12/packages.lock:{line} cannot be used"
    assert words in caught.value.cause
    assert "invoke image --lock" in caught.value.hint
    before = path.read_bytes()
    with pytest.raises(UsageError):
        lock.write(path, {"build": BUILD})
    assert path.read_bytes() == before


def test_each_kind_of_difference_is_told_by_name() -> None:
    newer = BasePackage("libc6", "2.36-10", "amd64", TWO)
    rebuilt = BasePackage("libstdc++6", "12.2.0-14", "amd64", ONE)
    more = BasePackage("zstd", "1.5", "amd64", ONE)
    changes = compare(BUILD.packages, (more, newer, rebuilt))
    assert named(changes) == (
        "adduser 3.134 (missing), libc6 2.36-9 -> 2.36-10, "
        "libstdc++6 12.2.0-14 (another digest: 222222222222 -> 111111111111), zstd 1.5 (added)"
    )
    assert kinds(changes) == (
        "1 added, 1 missing, 1 of another version, 1 of the same version with another digest"
    )
    assert compare(BUILD.packages, reversed(BUILD.packages)) == ()


def test_another_architecture_is_another_package() -> None:
    other = BasePackage("adduser", "3.134", "amd64", TWO)
    assert kinds(compare((ADDUSER,), (other,))) == "1 added, 1 missing"


def test_a_second_version_beside_the_locked_one_is_added() -> None:
    second = BasePackage("libc6", "3", "amd64", TWO)
    assert named(compare((LIBC,), (LIBC, second))) == "libc6 3 (added)"


def test_a_list_of_names_has_an_end() -> None:
    packages = [BasePackage(f"p{number:02}", "1", "all", ONE) for number in range(SHOWN + 3)]
    words = named(compare((), packages))
    assert words.startswith("p00 1 (added), ")
    assert words.endswith("p07 1 (added), and 3 more")
    assert [count(number) for number in (0, 1, 2)] == [
        "0 packages differ",
        "1 package differs",
        "2 packages differ",
    ]
