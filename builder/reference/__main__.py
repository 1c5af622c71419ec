"""Writes the reference: ``python -m builder.reference``, in a checkout."""

from __future__ import annotations

import importlib
from pathlib import Path

from builder.commandline import described
from builder.host.paths import find_project
from builder.reference import pages, schemas
from builder.reference.documents import DOCUMENTS

FOLDER = "docs/reference"


def files() -> dict[str, str]:
    """All files of the reference, by their path in the project."""
    groups = described.groups(importlib.import_module("tasks"))
    made = {
        "tasks": pages.tasks(described.everywhere(), groups),
        "configuration": pages.configuration(DOCUMENTS),
        "assertions": pages.assertions(),
        "stages": pages.stages(),
        "exit-statuses": pages.statuses(),
    }
    kept = {one.schema: schemas.render(one) for one in DOCUMENTS if one.schema}
    return {f"{FOLDER}/{name}.md": text for name, text in made.items()} | kept


def write(root: Path) -> None:
    """Let a checkout have them."""
    for path, text in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(find_project().root)
