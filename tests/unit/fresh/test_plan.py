"""What a fresh machine is told, and what it gets of this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure, UsageError
from tests.fresh import readme
from tests.fresh.clients import debian_sources, local_paths

PAGE = """\
# A page

```
./bootstrap not this
```

```sh
./bootstrap build --profile lts     # RPMs and more
./bootstrap build                   # profile el6
./bootstrap test                    # everything
```

```sh
./bootstrap not this
```
"""
SOURCES = """\
Types: deb deb-src
URIs: http://one.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb deb-src
URIs: http://two.invalid/
Suites: stable
Components: main

Types: deb deb-src
URIs: http://three.invalid/security
Suites: bookworm-security
Components: main
"""


def test_the_first_sh_block_is_what_a_new_user_runs() -> None:
    assert readme.commands(PAGE) == (
        "./bootstrap build --profile lts",
        "./bootstrap build",
        "./bootstrap test",
    )
    assert readme.of_level("fast", PAGE) == ("./bootstrap test --fast",)
    assert readme.of_level("whole", PAGE) == (
        readme.RENEWAL,
        "./bootstrap build --profile lts",
        "./bootstrap test",
    )
    with pytest.raises(UsageError, match="no sh block"):
        readme.commands("# A page\n")


def test_the_readme_has_what_is_tested() -> None:
    text = readme.README.read_text()
    assert len(readme.of_level("fast", text)) == 1
    assert {"./bootstrap build --profile lts", "./bootstrap test"} <= set(
        readme.of_level("whole", text)
    )


def test_debians_sources_are_taken_for_another_release_and_others_are_left_out() -> None:
    text = debian_sources(SOURCES, "trixie")
    assert text.split("\n\n") == [
        "Types: deb\nURIs: http://one.invalid/debian\nSuites: trixie trixie-updates\n"
        "Components: main\nSigned-By: /k.gpg",
        "Types: deb\nURIs: http://three.invalid/security\nSuites: trixie-security\n"
        "Components: main\n",
    ]
    with pytest.raises(EnvironmentFailure, match="no sources of Debian"):
        debian_sources("Types: deb\nURIs: http://two.invalid/\nSuites: stable\n", "trixie")


def test_local_paths_are_found_in_whatever_value_names_them(tmp_path: Path) -> None:
    index = tmp_path / "an index"
    index.mkdir()
    key = tmp_path / "key.pem"
    key.touch()
    values = [
        f"{index.as_uri()} https://registry.invalid/simple file:///nonexistent/x",
        f'Acquire::https::CaInfo "{key}"',
        "180",
        "/",
    ]
    assert local_paths(values) == [index, key]
