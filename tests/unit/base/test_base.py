"""A base is data; its name is the digest of what goes in; apt's verdict is ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.base.bootstrap import _failure
from builder.base.image import identity, image_tag, require_host
from builder.base.method import Patience
from builder.base.mmdebstrap import KEYRING, apt_sources, command
from builder.base.model import load_base, load_named
from builder.errors import (
    BuildError,
    EnvironmentFailure,
    SourceUnreachable,
    UsageError,
    VerificationError,
)

SETTINGS = """
name = "small"
method = "mmdebstrap"
suite = "bookworm"
variant = "apt"
components = ["main"]
epoch = 1735689600
build = ["build.txt"]

[guest.small]
packages = ["guest.txt"]
files = ["guest"]
provides = "provides.txt"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(SETTINGS)
    (tmp_path / "build.txt").write_text("make\n# why\ngcc  # the compiler\nmake\n")
    (tmp_path / "guest.txt").write_text("udev\n")
    return tmp_path


def test_lists_are_read_with_comments(folder: Path) -> None:
    assert load_base(folder).packages("build") == ("gcc", "make")


def test_an_unknown_key_is_refused(folder: Path) -> None:
    (folder / "base.toml").write_text("colour = 'red'\n" + SETTINGS)
    with pytest.raises(UsageError, match="colour"):
        load_base(folder)


def test_a_copied_base_that_kept_the_others_name_is_refused(folder: Path) -> None:
    bases = folder.parent
    folder.rename(bases / "small")
    assert load_named(bases, "small").name == "small"
    (bases / "small").rename(bases / "other")
    with pytest.raises(UsageError, match="'small' is not the name of the folder") as caught:
        load_named(bases, "other")
    assert caught.value.what == "other/base.toml:2 cannot be used"
    assert caught.value.hint == 'write name = "other"'


def test_a_wrong_package_name_is_told_with_file_and_line(folder: Path) -> None:
    (folder / "build.txt").write_text("make\nGCC 12\n")
    with pytest.raises(UsageError, match=r"build\.txt:2"):
        load_base(folder)


def test_a_missing_list_is_told(folder: Path) -> None:
    (folder / "guest.txt").unlink()
    with pytest.raises(UsageError, match=r"guest\.txt"):
        load_base(folder)


def test_a_guest_is_asked_for_by_name(folder: Path) -> None:
    more = "[guest.large]\npackages = ['large.txt']\nfiles = ['large']\nprovides = 'provides'\n"
    (folder / "base.toml").write_text(SETTINGS + more)
    (folder / "large.txt").write_text("systemd\n")
    assert load_base(folder).packages("guest") == ("udev",)
    assert load_base(folder, "large").packages("guest") == ("systemd",)
    assert load_base(folder, "large").guest.files == ("large",)
    assert identity(load_base(folder), "build") == identity(load_base(folder, "large"), "build")
    with pytest.raises(UsageError, match="'huge'") as caught:
        load_base(folder, "huge")
    assert "small, large" in caught.value.cause


def test_identity_follows_what_goes_in(folder: Path) -> None:
    before = load_base(folder)
    build, guest = identity(before, "build"), identity(before, "guest")
    (folder / "build.txt").write_text("# reordered\ngcc\nmake\n")
    assert identity(load_base(folder), "build") == build
    (folder / "build.txt").write_text("gcc\nmake\nbc\n")
    assert identity(load_base(folder), "build") != build
    assert identity(load_base(folder), "guest") == guest
    assert image_tag(before, build) == f"lvs-builder/small:{build[:16]}"


def test_other_repositories_of_the_host_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = "Types: deb deb-src\nURIs: mirror:/x\nSuites: bookworm bookworm-updates\n"
    other = "Types: deb deb-src\nURIs: mirror:/y\nSuites: stable\nComponents: main\n"
    both = f"{ours}Components: main contrib\n\n{other}"
    monkeypatch.setattr("builder.base.mmdebstrap.host_sources", lambda: both)
    assert "mirror:/y" not in apt_sources(load_base(folder))
    assert "deb-src" not in apt_sources(load_base(folder))
    monkeypatch.setattr("builder.base.mmdebstrap.host_sources", lambda: other)
    with pytest.raises(EnvironmentFailure, match="bookworm"):
        apt_sources(load_base(folder))


def lend_sources(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's apt (apt.conf(5), APT_CONFIG) that has these sources and no others; their folder."""
    for name in ("sources.list.d", "state/lists/partial", "cache/archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    (folder / "apt/state/status").touch()
    (folder / "apt/sources.list.d/host.sources").write_text(text)
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/apt/sources.list";\n'
        f'Dir::Etc::sourceparts "{folder}/apt/sources.list.d";\n'
        f'Dir::State "{folder}/apt/state";\n'
        f'Dir::State::status "{folder}/apt/state/status";\n'
        f'Dir::Cache "{folder}/apt/cache";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(folder / "apt.conf"))
    return folder / "apt/sources.list.d"


TRIXIE = """\
Types: deb
URIs: http://192.0.2.1/debian-security
Suites: trixie-security
Components: main

Types: deb
URIs: http://user:secret@192.0.2.1/debian
Suites: trixie trixie-updates
Components: main
"""


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client")
def test_a_host_of_another_release_is_told_first_with_a_fix_that_works(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = lend_sources(tmp_path, TRIXIE, monkeypatch)
    base = load_base(folder)
    with pytest.raises(EnvironmentFailure) as caught:
        require_host(base)
    assert caught.value.what == "this host's apt knows no sources of Debian bookworm"
    assert "secret" not in caught.value.hint
    fix = caught.value.hint.replace("sudo ", "").replace("/etc/apt/sources.list.d", str(parts))
    subprocess.run(["sh", "-euc", fix], check=True, capture_output=True)
    require_host(base)
    assert "URIs: http://192.0.2.1/debian\n" in apt_sources(base)
    assert f"Signed-By: {KEYRING}" in apt_sources(base)
    # apt itself refuses an entry that it cannot understand.
    told = subprocess.run(
        ["apt-cache", "policy"], capture_output=True, text=True, check=True
    ).stderr
    assert "E:" not in told


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client")
def test_a_host_without_a_mirror_of_debian_is_told_what_to_add(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend_sources(tmp_path, "", monkeypatch)
    with pytest.raises(EnvironmentFailure, match=r"no sources of Debian bookworm") as caught:
        require_host(load_base(folder))
    assert caught.value.hint == "add an entry with a mirror of Debian (sources.list(5))"


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client")
def test_the_keyring_of_the_fix_has_the_keys_of_the_shipped_base() -> None:
    """Every Debian's essential packages need it: apt depends on debian-archive-keyring."""
    if not Path(KEYRING).is_file():
        pytest.skip("this host is not Debian")
    told = subprocess.run(
        ["gpg", "--show-keys", "--no-default-keyring", KEYRING],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Debian Stable Release Key (12/bookworm)" in told


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("W: GPG error: the following signatures were invalid: BADSIG 0", VerificationError),
        ("E: Failed to fetch mirror:/x  Hash Sum mismatch", VerificationError),
        ("E: Failed to fetch mirror:/x  Could not resolve 'x'", SourceUnreachable),
        ("dpkg: error: No space left on device", EnvironmentFailure),
        ("E: Unable to locate package nothing-here", BuildError),
    ],
)
def test_what_went_wrong_decides_the_exit_code(
    folder: Path, tmp_path: Path, words: str, kind: type[Exception]
) -> None:
    log = tmp_path / "log"
    log.write_text(f"BADSIG of an earlier run\n{words}\n")
    start = len("BADSIG of an earlier run\n")
    error = _failure(load_base(folder), "build", log, start)
    assert type(error) is kind
    assert words in error.cause


def test_the_guest_has_no_builder(folder: Path, tmp_path: Path) -> None:
    base = load_base(folder)
    assert "useradd" in " ".join(
        command(base, "build", "m", tmp_path, tmp_path, patience=Patience())
    )
    assert "useradd" not in " ".join(
        command(base, "guest", "m", tmp_path, tmp_path, patience=Patience())
    )


def test_importing_bases_and_the_engine_does_not_bring_the_sdk() -> None:
    script = "import builder.base, builder.engine, sys; sys.exit('docker' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0


YUM = """
name = "old"
method = "yum"
release = "6.10"
arch = "x86_64"
repositories = ["os"]
mirrors = ["https://vault.invalid"]
keys = ["key"]
first = ["rpm"]
uname = "2.6.32"
epoch = 1
build = ["build.txt"]

[guest.small]
packages = ["guest.txt"]
files = ["guest"]
provides = "provides.txt"
"""
DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "words"),
    [
        (SETTINGS, 'suite = "bookworm"', 'suite = "-x y"', 4, "not the name of a release"),
        (SETTINGS, '["build.txt"]', '["../../x"]', 8, "not a path below a folder"),
        (SETTINGS, '["guest.txt"]', '["/etc/x"]', 11, "not a path below a folder"),
        (SETTINGS, 'files = ["guest"]', 'files = [".."]', 12, "not a path below a folder"),
        (SETTINGS, '"provides.txt"', '"../provides.txt"', 13, "not a path below a folder"),
        (SETTINGS, "epoch = 1735689600", "epoch = -1", 7, ">= 0"),
        (SETTINGS, "epoch = 1735689600", "epoch = 99999999999", 7, "<= 4294967295"),
        (SETTINGS, "epoch = 1735689600", "epoch = 1\nnofile = [9, 8]", 8, "above the hard one"),
        (SETTINGS, "epoch = 1735689600", "epoch = 1\nnofile = [0, 8]", 8, ">= 1"),
        (SETTINGS, 'variant = "apt"', 'variant = "apt', 5, "line 5"),
        (YUM, "epoch = 1\n", 'epoch = 1\nimage = "centos:6"\n', 12, "form NAME@sha256:DIGEST"),
        (YUM, "epoch = 1\n", f'epoch = 1\nimage = "a b@sha256:{DIGEST}"\n', 12, "form NAME@"),
        (YUM, "epoch = 1\n", f'epoch = 1\nimage = "a@sha256:{DIGEST[1:]}"\n', 12, "form NAME@"),
        (YUM, '"https://vault.invalid"', '"vault.invalid"', 7, "has no scheme"),
        (YUM, '"https://vault.invalid"', '"https:///x"', 7, "the URL has no host"),
        (YUM, '"https://vault.invalid"', '"apt:x"', 7, "'apt' is none of https, http, ftp, file"),
        (YUM, '["key"]', '["../key"]', 8, "not a path below a folder"),
        (YUM, '"6.10"', '"../6.10"', 4, "a file's name has no '/'"),
        (YUM, '"2.6.32"', '"2.6 $(id)"', 10, "a file's name has no '/'"),
    ],
)
def test_a_value_is_judged_where_it_is_read(
    folder: Path, text: str, old: str, new: str, line: int, words: str
) -> None:
    assert text.count(old) == 1
    (folder / "base.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_base(folder)
    assert caught.value.what == f"{folder.name}/base.toml:{line} cannot be used"
    assert words in caught.value.cause


def test_an_image_by_its_digest_is_taken(folder: Path) -> None:
    image = f"registry.invalid:5000/library/centos@sha256:{DIGEST}"
    (folder / "base.toml").write_text(YUM.replace("epoch = 1\n", f'epoch = 1\nimage = "{image}"\n'))
    (folder / "key").touch()
    assert load_base(folder).settings.epoch == 1
