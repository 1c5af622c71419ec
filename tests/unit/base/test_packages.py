"""Which packages a root has: version, architecture, and the digest that each one came with."""

from __future__ import annotations

import msgspec
import pytest

from builder.base.packages import BasePackage, decode, encode, of_debian
from builder.digest import Digest
from builder.errors import BuildError, VerificationError

ONE, TWO, THREE = (Digest(digit * 64) for digit in "123")
STATUS = """\
Package: b
Status: install ok installed
Architecture: amd64
Version: 2

Package: a
Status: install ok installed
Version: 1:1-1
Architecture: all

Package: c
Status: deinstall ok config-files
Architecture: amd64
Version: 3
"""


def stanza(name: str, version: str, arch: str, sha256: str) -> str:
    return f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nSHA256: {sha256}\n\n"


LISTS = stanza("a", "1:1-1", "all", ONE) + stanza("b", "2", "amd64", TWO)


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_only_installed_packages_are_listed_with_what_apt_has_verified() -> None:
    other = stanza("b", "2", "i386", THREE) + stanza("b", "1", "amd64", THREE)
    assert of_debian(STATUS, lines(other + LISTS)) == (
        BasePackage("a", "1:1-1", "all", ONE),
        BasePackage("b", "2", "amd64", TWO),
    )


def test_of_two_lists_the_first_counts_as_it_does_for_apt() -> None:
    second = stanza("b", "2", "amd64", THREE)
    assert of_debian(STATUS, lines(LISTS + second))[1].sha256 == TWO


def test_a_package_that_no_list_has_is_told() -> None:
    with pytest.raises(BuildError, match="b:amd64 2") as caught:
        of_debian(STATUS, lines(stanza("a", "1:1-1", "all", ONE)))
    assert caught.value.what == "the digests of 1 installed packages are not known"
    with pytest.raises(VerificationError, match="64 hexadecimal digits"):
        of_debian(STATUS, lines(LISTS.replace(TWO, "../x")))


def test_a_list_is_read_back_and_has_one_package_a_line() -> None:
    packages = of_debian(STATUS, lines(LISTS))
    assert decode(encode(reversed(packages))) == packages
    assert encode(packages).count(b"\n") == len(packages) + 2
    with pytest.raises(msgspec.DecodeError):
        decode(b'[{"name":"a"}]')
