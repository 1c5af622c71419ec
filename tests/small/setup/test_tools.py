"""One table of host programs feeds bootstrap, doctor and the stages' own checks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.setup.packages import TABLE, needs_dpkg, paths


@needs_dpkg
@pytest.mark.registry
@pytest.mark.parametrize("name", [name for name, tool in TABLE.items() if not paths(tool)])
def test_each_package_has_its_program_in_the_archive(name: str, tmp_path: Path) -> None:
    """Those that this host has not installed: the package is downloaded and looked into."""
    package = TABLE[name].package
    if TABLE[name].module:
        asked = subprocess.run(
            ["apt-cache", "depends", package], capture_output=True, text=True, check=True
        )
        assert re.search(r"Depends: python3\.\d+-venv", asked.stdout)
        return
    subprocess.run(["apt-get", "download", package], cwd=tmp_path, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.deb")
    listed = subprocess.run(
        ["dpkg-deb", "--contents", archive], capture_output=True, text=True, check=True
    )
    assert re.search(rf"bin/{re.escape(name)}( ->.*)?$", listed.stdout, re.MULTILINE)
