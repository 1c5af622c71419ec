"""The examples of docs/how-to/ci.md: files of two forges, and what their jobs run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.world import ROOT

PAGE = ROOT / "docs/how-to/ci.md"
_FILE = re.compile(r"<!-- file: (\S+) -->\n```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """``scripts``: what the job runs, in order, each by one shell."""

    name: str
    scripts: tuple[str, ...]


def files() -> dict[str, str]:
    """Name and text of each file that the page has."""
    return {name: text for name, _, text in _FILE.findall(PAGE.read_text(encoding="utf-8"))}


def jobs(name: str) -> dict[str, Job]:
    """The jobs of one of the files."""
    content: dict[str, Any] = yaml.safe_load(files()[name])
    if "jobs" in content:
        return {
            job: Job(job, tuple(step["run"] for step in steps["steps"] if "run" in step))
            for job, steps in content["jobs"].items()
        }
    before = content["default"]["before_script"]  # GitLab gives all lines to one shell
    lines = {job: (*before, *content[job]["script"]) for job in content["stages"]}
    return {job: Job(job, ("\n".join(lines[job]),)) for job in lines}
