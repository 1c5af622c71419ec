"""createrepo_c, without the complaints of librpm on a host without rpm.

On loading, librpm reads its configuration (rpm(8), /usr/lib/rpm/rpmrc), and complains on standard
error if there is none.  Our use of it needs none.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "RPM_CONFIGDIR"
CONFIGURATION = Path("/usr/lib/rpm/rpmrc")


@contextmanager
def configured() -> Iterator[None]:
    """Within the block there is a configuration, if only an empty one."""
    if CONFIGURATION.exists() or _VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / CONFIGURATION.name).touch()
        os.environ[_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[_VARIABLE]


with configured():
    import createrepo_c

__all__ = ["createrepo_c"]
