"""A profile that cannot be used is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.host.paths import find_project
from builder.profile import load

GOOD = """\
summary = "a small one"
base = "debian12"
default_flavour = "vm"
host = "host.toml"

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


def write(specs: Path, text: str) -> None:
    (specs / "p").mkdir()
    (specs / "p" / "profile.toml").write_text(text)


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
    assert "tool" not in profile.in_base("debian12").component
    assert "tool" in profile.in_base("other").component


def test_every_profile_that_is_shipped_can_be_used() -> None:
    specs = find_project().specs
    assert set(load.available(specs)) == {"el6", "lts"}
    for name in load.available(specs):
        profile = load.load(specs, name)
        for base in ("debian12", profile.base):
            assert profile.in_base(base).component


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('sha256 = "../../../../etc/hostname"', "has 64 hexadecimal digits"),
        ('sha256 = "abc"', "has 64 hexadecimal digits"),
        ("max_bytes = -1", ">= 0"),
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
    assert "source.tool.locations[0].sha256: '../../x' is no SHA-256 digest" in error.cause


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
