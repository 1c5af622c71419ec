"""Tests that become an ordinary user need a checkout that this user can read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
ROOT = Path(__file__).parents[1]
_LOOK = "import os, invoke, builder.host.process; os.listdir('specs')"


def require_readable_checkout() -> None:
    """Skip where it lies below a home that only its owner may enter, as /root on most hosts."""
    become = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    looked = subprocess.run(
        (*become, sys.executable, "-c", _LOOK), cwd=ROOT, capture_output=True, check=False
    )
    if looked.returncode != 0:
        pytest.skip("user nobody may not read this checkout, or its Python")
