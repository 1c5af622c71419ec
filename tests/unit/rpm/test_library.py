"""A host without rpm's configuration gets no line about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.rpm import library

LOAD = [sys.executable, "-c", "import createrepo_c; print(createrepo_c.VERSION)"]


def loaded(**more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more}
    return subprocess.run(LOAD, env=environment, capture_output=True, text=True, check=True)


def test_the_library_is_loaded_without_a_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RPM_CONFIGDIR", raising=False)
    assert "rpmrc" in loaded(RPM_CONFIGDIR=str(tmp_path)).stderr, "so it complains"
    monkeypatch.setattr(library, "CONFIGURATION", tmp_path / "rpmrc")
    with library.configured():
        quiet = loaded()
    assert quiet.stderr == ""
    assert quiet.stdout.strip()
    assert "RPM_CONFIGDIR" not in os.environ
