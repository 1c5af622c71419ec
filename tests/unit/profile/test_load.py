"""A profile that cannot be used is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.base.model import load_base
from builder.errors import UsageError
from builder.host.paths import find_project
from builder.profile import load
from builder.profile.build import resolve

GOOD = """\
summary = "a small one"
base = "debian12"
default_flavour = "vm"
target = "target.toml"

[changelog]
date = "Mon Nov 23 2026"
author = "A <a@b.invalid>"
text = "first"

[flavour.vm]
summary = "small"
fragments = ["common.config"]

[component.tool]
package = "tool"
version = "1.0"
release = "1"
source = "tool"
packages = ["tool"]

[source.tool]
file = "tool-1.0.tar.gz"
locations = [{ url = "file:tool-1.0.tar.gz" }]
"""


KEY_LINE = f'\nsigned_by = [{{ key = "key.asc", fingerprint = "{"A" * 40}" }}]'


def write(specs: Path, text: str) -> None:
    (specs / "p").mkdir()
    (specs / "p" / "profile.toml").write_text(text, encoding="utf-8")
    (specs / "p" / "target.toml").touch()
    (specs / "p" / "kernel-config").mkdir()
    (specs / "p" / "kernel-config" / "common.config").touch()


def refused(specs: Path, text: str) -> UsageError:
    write(specs, text)
    with pytest.raises(UsageError) as caught:
        load.load(specs, "p")
    return caught.value


def test_a_good_profile_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    profile = load.load(tmp_path, "p")
    assert profile.name == "p"
    assert profile.component["tool"].packages == ("tool",)
    assert profile.source["tool"].name == "tool"


@pytest.mark.parametrize("name", load.available(find_project().specs))
def test_the_profiles_of_this_project_are_good(name: str) -> None:
    profile = load.load(find_project().specs, name)
    assert profile.component


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ('version = "1.0"', 'verzion = "1.0"', 17, "verzion"),
        ('version = "1.0"', "version = 10", 17, "component.tool.version"),
        ('summary = "small"', "summary = true", 12, "flavour.vm.summary"),
        ('packages = ["tool"]', 'packages = ["tool", 3]', 20, "component.tool.packages"),
        ('file = "tool-1.0.tar.gz"', 'fille = "tool-1.0.tar.gz"', 23, "fille"),
        ('url = "file:tool-1.0.tar.gz"', 'uri = "file:tool-1.0.tar.gz"', 24, "uri"),
        ('source = "tool"', 'source = "other"', 19, "other"),
        ('default_flavour = "vm"', 'default_flavour = "big"', 3, "big"),
        ('base = "debian12"', 'base = "debian12', 2, "line 2"),
        ('base = "debian12"', 'base = "debian12"\nbasis = 1', 3, "basis"),
        ("[changelog]\n", "[changelog]\nwho = 1\n", 7, "who"),
    ],
)
def test_a_wrong_key_or_type_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, word: str
) -> None:
    assert old in GOOD
    error = refused(tmp_path, GOOD.replace(old, new))
    assert error.what.startswith(f"p/profile.toml:{line} ")
    assert word in error.cause
    assert error.exit_code == 2


def test_a_missing_key_names_the_table(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace('release = "1"\n', ""))
    assert error.what.startswith("p/profile.toml:15 ")
    assert "release" in error.cause


@pytest.mark.parametrize("name", ["q", "../p", ""])
def test_an_unknown_profile_lists_those_there_are(tmp_path: Path, name: str) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(UsageError) as caught:
        load.load(tmp_path, name)
    assert caught.value.hint == "profiles: p"


def test_a_component_of_another_base_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace('package = "tool"', 'package = "tool"\nbases = ["other"]'))
    profile = load.load(tmp_path, "p")
    assert not profile.component["tool"].is_built_in("debian12")
    assert profile.component["tool"].is_built_in("other")


def test_every_profile_that_is_shipped_can_be_used() -> None:
    specs = find_project().specs
    assert set(load.available(specs)) == {"el6", "lts"}
    for name in load.available(specs):
        profile = load.load(specs, name)
        for base in ("debian12", profile.base):
            loaded = load_base(find_project().bases / base, profile.init)
            for flavour in profile.flavour:
                assert resolve(profile, flavour, loaded).parts


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('sha256 = "../../../../etc/hostname"', "has 64 hexadecimal digits"),
        ('sha256 = "abc"', "has 64 hexadecimal digits"),
        ("max_bytes = -1", ">= 1"),
        ("max_bytes = 0", ">= 1"),
    ],
)
def test_a_source_s_digest_and_size_are_such(tmp_path: Path, line: str, words: str) -> None:
    text = GOOD + line + "\n"
    error = refused(tmp_path, text)
    assert error.what.startswith(f"p/profile.toml:{len(text.splitlines())} ")
    assert words in error.cause


def test_a_location_s_digest_is_one(tmp_path: Path) -> None:
    text = GOOD.replace('tar.gz" }]', 'tar.gz", sha256 = "../../x" }]')
    error = refused(tmp_path, text)
    assert error.what.startswith(f"p/profile.toml:{len(text.splitlines())} ")
    assert "source.tool.locations[0].sha256: '../../x' is not a SHA-256 digest" in error.cause


def test_a_digest_in_capitals_is_folded(tmp_path: Path) -> None:
    write(tmp_path, GOOD + f'sha256 = "{"AB" * 32}"\n')
    assert load.load(tmp_path, "p").source["tool"].sha256 == "ab" * 32


VENDOR = """
[component.tool.vendor]
spec = "tool.spec"
patches = { tags = "a", apply = "b", fuzz = -1 }
"""


def test_other_numbers_are_not_negative_either(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + VENDOR)
    assert "component.tool.vendor.patches.fuzz: Expected `int` >= 0" in error.cause


@pytest.mark.parametrize("name", ["../tool.tar", "..", "a/b", ""])
def test_a_source_s_file_is_a_name_without_a_folder(tmp_path: Path, name: str) -> None:
    error = refused(tmp_path, GOOD.replace('file = "tool-1.0.tar.gz"', f'file = "{name}"'))
    assert "source.tool.file" in error.cause


URL = 'url = "file:tool-1.0.tar.gz"'
DATE = 'date = "Mon Nov 23 2026"'
AUTHOR = 'author = "A <a@b.invalid>"'
KEY = """signed_by = [{ key = "KEY", fingerprint = "FINGERPRINT" }]\n"""
MISTAKES = [
    # RPM's versions and releases
    ('version = "1.0"', 'version = "1.0-1"', 17, "no hyphen"),
    ('version = "1.0"', 'version = ""', 17, "no hyphen"),
    ('version = "1.0"', 'version = "1 0"', 17, "no hyphen"),
    ('version = "1.0"', 'version = "1.0\\n%include x"', 17, "no hyphen"),
    ('version = "1.0"', 'version = "%{lua:x}"', 17, "no hyphen"),
    ('release = "1"', 'release = "1-lvs"', 18, "no hyphen"),
    ('release = "1"', 'release = "1/../x"', 18, "no hyphen"),
    ('summary = "small"', 'summary = "small"\nsuffix = "-vm"', 13, "no hyphen"),
    ('packages = ["tool"]', 'packages = ["../tool"]', 20, "a file's name has no '/'"),
    # dates and authors
    (DATE, 'date = "Mon Feb 30 2026"', 7, "'Mon Feb 30 2026' is not in the calendar"),
    (DATE, 'date = "Tue Nov 23 2026"', 7, "is not a Tue: that day is a Mon"),
    (DATE, 'date = "2026-11-23"', 7, "is not a date of the form 'Mon Nov 23 2026'"),
    (DATE, 'date = "mon nov 23 2026"', 7, "is not a date of the form 'Mon Nov 23 2026'"),
    (DATE, 'date = "Mon Nov 23 1953"', 7, "the year 1953 is not between 1990 and 2099"),
    (DATE, 'date = "Mon Nov \u0662\u0663 2026"', 7, "is not a date of the form"),
    (AUTHOR, 'author = "A"', 8, "not of the form NAME <USER@HOST>"),
    (AUTHOR, 'author = "<a@b.invalid>"', 8, "not of the form NAME <USER@HOST>"),
    (AUTHOR, 'author = "A\\nB <a@b.invalid>"', 8, "not of the form NAME <USER@HOST>"),
    ('text = "first"', 'text = "one\\n%post"', 9, "not one line of text"),
    ('text = "first"', 'text = " "', 9, "not one line of text"),
    ('summary = "small"', 'summary = ""', 12, "flavour.vm.summary: not one line of text: it is e"),
    ('summary = "a small one"', 'summary = "\\n"', 1, "summary: not one line of text: it is empty"),
    # addresses
    (URL, 'url = "gopher://a/x"', 24, "'gopher' is none of apt, apt-source, https, http, ftp"),
    (URL, 'url = "htps://a/x"', 24, "did you mean 'https'?"),
    (URL, 'url = "tool-1.0.tar.gz"', 24, "what has no scheme is none of"),
    (URL, 'url = "https:///x"', 24, "the URL has no host"),
    (URL, 'url = "https:x"', 24, "the URL has no host"),
    (URL, 'url = "https://user:secret@/x"', 24, "the URL has no host"),
    (URL, 'url = "http://a:port/x"', 24, "host or port cannot be understood"),
    (URL, 'url = "http://a:99999/x"', 24, "host or port cannot be understood"),
    (URL, 'url = "http://[::1/x"', 24, "host or port cannot be understood"),
    (URL, 'url = "http://a:0/x"', 24, "the URL's port is 0"),
    (URL, 'url = "http://a/x\\r\\nHost: b"', 24, "a blank or a control character"),
    (URL, 'url = "apt:Tool"', 24, "'Tool' is not of the form PACKAGE[=VERSION]"),
    (URL, 'url = "apt:tool=1.0 --yes"', 24, "a blank or a control character"),
    (URL, 'url = "apt-source:-o=x"', 24, "is not of the form PACKAGE[=VERSION]"),
    (URL, 'url = "file:"', 24, "the URL names no file"),
    (URL, 'url = "apt:tool", member = "../x"', 24, "not a path below a folder"),
    (URL, 'url = "file:x", member = "x"', 24, "only what apt: brings has members"),
    ('[{ url = "file:tool-1.0.tar.gz" }]', "[]", 24, "no location is named"),
    # files
    ('fragments = ["common.config"]', 'fragments = ["comon.config"]', 13, "did you mean 'common"),
    ('fragments = ["common.config"]', 'fragments = ["../x"]', 13, "a file's name has no '/'"),
    (
        'target = "target.toml"',
        'target = "none.toml"',
        4,
        "target names none.toml, which does not exist",
    ),
    # keys of earlier versions
    ('target = "target.toml"', 'host = "target.toml"', 4, "target takes its place"),
    ("[changelog]", 'guest = "sysv"\n[changelog]', 6, "init takes its place"),
    ("[changelog]", 'selftest = "classic"\n[changelog]', 6, "init takes its place"),
    ("[changelog]", '[lab]\ninterfaces = "ifcfg"\n[changelog]', 7, "init takes its place"),
    ("[changelog]", 'init = "upstart"\n[changelog]', 6, "init: 'upstart' is none of systemd, sysv"),
    ("[changelog]", 'init = "../x"\n[changelog]', 6, "init: '../x' is none of systemd, sysv"),
    ('source = "tool"', 'source = "tool"\ninside = ["../x"]', 20, "not a path below a folder"),
    ('source = "tool"', 'source = "tool"\nkabi = { file = "/etc/x" }', 20, "not a path below"),
    (
        'source = "tool"',
        'source = "tool"\npatches = [{ source = "tool", file = "a/../../x" }]',
        20,
        "not a path below a folder",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), MISTAKES)
def test_a_value_is_judged_where_it_is_read(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert GOOD.count(old) == 1
    error = refused(tmp_path, GOOD.replace(old, new))
    assert error.exit_code == 2
    assert error.what == f"p/profile.toml:{line} cannot be used"
    assert words in error.cause
    assert "secret" not in str(error)
    assert error.hint


FINGERPRINT = "0" * 40


@pytest.mark.parametrize(
    ("key", "fingerprint", "words"),
    [
        ("../../x", FINGERPRINT, "not a path below a folder"),
        ("/etc/hostname", FINGERPRINT, "not a path below a folder"),
        ("keys/../../q/key", FINGERPRINT, "not a path below a folder"),
        ("outside", FINGERPRINT, "leads out of its folder"),
        ("none", FINGERPRINT, "does not exist"),
        ("inside", "0x1234", "not a fingerprint, which has 40 hexadecimal digits in capitals"),
        ("inside", FINGERPRINT + "\\n", "not a fingerprint"),
    ],
)
def test_a_key_is_a_file_of_the_profile(
    tmp_path: Path, key: str, fingerprint: str, words: str
) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "key").touch()
    (tmp_path / "x").touch()
    text = GOOD + KEY.replace("KEY", key).replace("FINGERPRINT", fingerprint)
    write(tmp_path, text)
    (tmp_path / "p" / "inside").touch()
    (tmp_path / "p" / "outside").symlink_to("../q/key")
    with pytest.raises(UsageError) as caught:
        load.load(tmp_path, "p")
    assert caught.value.what == f"p/profile.toml:{len(text.splitlines())} cannot be used"
    assert words in caught.value.cause


def test_a_key_inside_the_profile_s_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path, GOOD + KEY.replace("KEY", "keys/A").replace("FINGERPRINT", FINGERPRINT))
    (tmp_path / "p" / "keys").mkdir()
    (tmp_path / "p" / "keys" / "A").touch()
    assert load.load(tmp_path, "p").source["tool"].signed_by[0].key == "keys/A"


@pytest.mark.parametrize(
    "url",
    [
        *("apt:linux-source-6.1=6.1.192-2", "apt-source:g++", "https://a.invalid/x?token=a@b"),
        *("http://[::1]:8080/x", "ftp://user:word@a.invalid/x", "file:///srv/x", "file:x/y"),
    ],
)
def test_a_good_address_is_taken(tmp_path: Path, url: str) -> None:
    write(tmp_path, GOOD.replace("file:tool-1.0.tar.gz", url))
    assert load.load(tmp_path, "p").source["tool"].locations[0].url == url


@pytest.mark.parametrize("version", ["1.0~rc1", "1.0^git1+2_3", "6.1.192"])
def test_a_version_of_rpm_s_is_taken(tmp_path: Path, version: str) -> None:
    write(tmp_path, GOOD.replace('version = "1.0"', f'version = "{version}"'))
    assert load.load(tmp_path, "p").component["tool"].version == version


def test_a_preferred_variant_that_no_location_serves_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace("locations", 'variant = "upsteam"\nlocations'))
    assert error.what == "p/profile.toml:24 cannot be used"
    assert "did you mean 'upstream'?" in error.cause


@pytest.mark.parametrize(
    ("key", "url", "words"),
    [
        ("", "https://a.invalid/tool.sign", "signed_by names nobody"),
        (KEY_LINE, "gopher://a.invalid/tool.sign", "signature: 'gopher' is none of"),
        (KEY_LINE, "apt:tool", "signature: 'apt' is none of"),
    ],
)
def test_a_signature_that_nobody_can_verify_is_refused(
    tmp_path: Path, key: str, url: str, words: str
) -> None:
    text = GOOD.replace('.gz" }]', f'.gz", signature = "{url}" }}]{key}')
    write(tmp_path, text)
    (tmp_path / "p/key.asc").touch()
    with pytest.raises(UsageError) as caught:
        load.load(tmp_path, "p")
    assert words in caught.value.cause
