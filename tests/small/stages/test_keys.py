"""What an edit of the builder makes anew: in a copy of the project, by `invoke explain`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.stagename import SMOKE
from builder.place import Place
from builder.stages.request import Request
from builder.stages.session import open_session
from tests.support.lab import finished
from tests.world import ROOT, copy

TOP = "from __future__ import annotations\n"
MORE = f"{TOP}MORE = 1\n"
BUILDS = {f"build:{name}" for name in ("kernel", "keepalived", "ipvsadm", "frr", "lvs-director")}
UNPACKED = {f"unpack:{name}" for name in ("kernel", "keepalived", "ipvsadm", "frr")}
PREPARED = {f"prep:{name}" for name in ("kernel", "keepalived", "ipvsadm", "frr")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A copy of the project, and a cache as if lts had been built in it."""
    root = tmp_path_factory.mktemp("keys")
    project = Project(root / "project")
    project.root.mkdir()
    (project.root / "tasks.py").write_bytes((ROOT / "tasks.py").read_bytes())
    for name in ("builder", "specs", "patches", "dockerfiles"):
        copy(ROOT / name, project.root / name)
    made = Place(project, Cache(root / "cache"), Console())
    finished.build(made, "vm")
    with open_session(Request("lts", "vm"), made) as session:
        session.settle(SMOKE)  # found, and noted as what was last run
    return made


def explained(place: Place) -> dict[str, list[str]]:
    """By stage that would run: its own inputs that have changed."""
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "explain", "smoke", "--profile", "lts", "--flavour", "vm"],
        cwd=place.project.root,
        env={**os.environ, "LVS_BUILDER_CACHE": str(place.cache.root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    found: defaultdict[str, list[str]] = defaultdict(list)
    stage = ""
    for line in ended.stdout.splitlines():
        if match := re.match(r"(\S+): would run", line):
            stage = match[1]
            found[stage] = []
        elif (match := re.match(r"    (\S+): ", line)) and not match[1].startswith("stage:"):
            found[stage].append(match[1])
    return dict(found)


@pytest.fixture
def file(place: Place, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = place.project.root / "builder" / str(request.param)
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    # Python takes byte code for that of a file of the same size and second.
    file.write_text(text.replace(old, new, 1) + "\n")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("console.py", TOP, MORE),
        ("errors.py", TOP, MORE),
        (
            "shown.py",
            TOP,
            MORE,
        ),
        (
            "invocation.py",
            TOP,
            MORE,
        ),
        (
            "host/refusal.py",
            TOP,
            MORE,
        ),
        (
            "host/buildlog.py",
            TOP,
            MORE,
        ),
        ("rpm/build.py", "fix the error in the log", "correct the error in the log"),
        ("rpm/build.py", 'label = f"build ', 'label = f"rpmbuild '),
        ("pipeline/explain.py", "nothing has changed", "nothing has changed" + " "),
        ("archive/unpack.py", '"""', '"""More words: '),
        ("stages/sources.py", "# Files of these trees", "# The files of these trees"),
    ],
    indirect=["file"],
)
def test_an_edit_of_words_makes_nothing_anew(place: Place, file: Path, old: str, new: str) -> None:
    _edit(file, old, new)
    assert explained(place) == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        # What containers get: script, environment, arguments, mounts, the fence.
        ("rpm/container/rpmbuild.sh", "set -e", "set -ue", BUILDS),
        ("rpm/build.py", 'CCACHE_SIZE = "5G"', 'CCACHE_SIZE = "6G"', BUILDS),
        ("rpm/build.py", '("/bin/sh", "/usr/', '("/bin/sh", "-u", "/usr/', BUILDS),
        ("rpm/build.py", 'Mount(plan.jobs, "/jobs"', 'Mount(plan.jobs, "/tasks"', BUILDS),
        ("rpm/tree.py", '"tmp")', '"tmp", "more")', {*BUILDS, "checks"}),
        ("host/copying.py", "0o644", "0o664", {*BUILDS, "checks"}),
        ("engine/config.py", '"lvs-builder"', '"builder"', {*BUILDS, "repo", "vm"}),
        ("stages/containers.py", "0o755)", "0o775)", {*BUILDS, "repo", "vm"}),
        ("stages/templated.py", "sorted([*extra, CONFIG])", "[CONFIG, *extra]", BUILDS),
        ("stages/builds.py", "options=manner.options,", "options=(*manner.options, '-v'),", BUILDS),
        ("disk/container/make-disk.sh", "set -e", "set -ue", {"repo", "vm", "smoke"}),
        ("disk/image.py", "DISK_MIB = 4096", "DISK_MIB = 8192", {"vm", "smoke"}),
        ("base/mmdebstrap.py", "HOSTNAME = ", "HOSTNAME = 'x' + ", {"image:build", "image:guest"}),
        # What makes outputs in Python.
        (
            "archive/links.py",
            TOP,
            MORE,
            None,
        ),
        ("stages/sources.py", "files=not linked)", "files=linked)", UNPACKED),
        ("patch/fuzz.py", "MAX_FUZZ = ", "MAX_FUZZ = 0 + ", {*PREPARED, "checks"}),
        ("rpm/repository.py", 'REPO_ID = "lvs', 'REPO_ID = "xlvs', {"repo"}),
        (
            "vm/machine.py",
            TOP,
            MORE,
            {"smoke"},
        ),
        ("smoke/guest/systemd/run", "\n", "\n# more\n", {"smoke"}),
    ],
    indirect=["file"],
)
def test_an_edit_of_what_decides_is_noticed_where_it_does(
    place: Place, file: Path, old: str, new: str, stages: set[str] | None
) -> None:
    _edit(file, old, new)
    found = {stage for stage, changed in explained(place).items() if changed}
    if stages is None:
        assert found >= UNPACKED
    else:
        assert found == stages


def test_nothing_was_left_of_the_edits(place: Place) -> None:
    assert explained(place) == {}
