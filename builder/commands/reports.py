"""Write ``report.html`` and the lab's index again from ``build.json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.errors import UsageError
from builder.host.paths import Project
from builder.profile import load
from builder.report import html, machine, matrix, publish, record


def write(project: Project, profile: str) -> Path:
    """Write the pages; return the report's path.  Raises UsageError if nothing was built yet."""
    target = project.artifacts(load.find(project.specs, profile))
    path = target / publish.RECORD
    try:
        made = record.decode(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"there is nothing to report for profile {target.name}",
            f"{path} does not exist",
            f"invoke build --profile {target.name}",
        ) from None
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} cannot be read", str(error), "build again, it is written anew"
        ) from error
    machine.write(target, made)
    page = html.write(target, made)
    matrix.write(project)
    return page
