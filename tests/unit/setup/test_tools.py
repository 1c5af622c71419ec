"""One table of host programs feeds bootstrap, doctor and the stages' own checks."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from builder.archive import stream
from builder.base.model import load_base
from builder.errors import EnvironmentFailure, UsageError
from builder.host import process, tools
from builder.host.tools import Need
from tests.support import syntax
from tests.support.setup.packages import TABLE, needs_dpkg, paths
from tests.support.setup.programs import named_in

ROOT = Path(__file__).parents[3]
# Of the packages that every Debian has, and that no system can be without (Essential: yes).
ESSENTIAL = {
    *("sh", "dd", "ls", "cksum", "diff", "sleep", "touch", "chroot", "dpkg", "dpkg-query"),
    *(
        "bash",
        "sed",
        "grep",
        "find",
        "env",
        "true",
        "false",
        "cat",
        "du",
        "kill",
        "id",
        "mkfifo",
        "rm",
        "sha256sum",
    ),
}
# What tests look for before they run it, and this project's own script.
OPTIONAL = {"usermod", "invoke-rc.d", "bootstrap", "/usr/bin/python3"}


def sources(folder: str) -> list[Path]:
    return [ROOT / "tasks.py", *sorted((ROOT / folder).rglob("*.py"))]


def test_a_program_in_the_source_is_found(tmp_path: Path) -> None:
    """The search that the next test relies on."""
    module = tmp_path / "module.py"
    module.write_text(
        'argv = [*("one", "-x"), path]\n'
        "process.run(argv)\n"
        'with start(["two", "-y"]):\n    pass\n'
        'run([*as_root(), "three"])\n'
        'self._run("four", "update")\n'
        'tool = process.require_tool("five", f"to unpack {name}")\n'
        'CheckCommand("lint", ("six", *scripts))\n'
        'run([*(*as_root(), "seven", "--x"), "."])\n'
        'text.find("not this"); run("nor", "this")\n'
    )
    assert named_in(module) == {"one", "two", "three", "four", "five", "six", "seven"}


@pytest.mark.parametrize("folder", ["builder", "tests"])
def test_every_program_that_the_code_runs_is_in_the_table(folder: str) -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        if path != Path(__file__)
        for name in named_in(path) - TABLE.keys() - ESSENTIAL - OPTIONAL
    }
    assert not missing


def test_the_builder_itself_needs_no_tool_of_the_tests() -> None:
    """A tool that only ``test`` installs would be missing on a user's machine."""
    used = {name for path in sources("builder") for name in named_in(path)}
    linters = {name for path in sources("builder/selftest") for name in named_in(path)}
    assert {n for n in used - linters if n in TABLE and TABLE[n].need is Need.TEST} == set()


def test_the_decompressors_are_in_the_table() -> None:
    assert {argv[0] for *_, argv in stream._DECOMPRESSORS} <= TABLE.keys()


def test_every_shipped_base_has_its_tools() -> None:
    for path in sorted((ROOT / "dockerfiles").glob("*/base.toml")):
        method = load_base(path.parent).settings.method
        for root in (True, False):
            names = {tool.name for tool in tools.for_base(method, root=root)}
            assert {"mke2fs", "qemu-system-x86_64", "xz"} <= names
            assert ("dnf" in names) == (method == "yum")


def test_a_missing_program_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailure) as caught:
        process.require_tool("mke2fs")
    assert "mke2fs is missing" in caught.value.what
    assert TABLE["mke2fs"].purpose in caught.value.what
    assert caught.value.hint == "apt-get install e2fsprogs"
    with pytest.raises(KeyError):
        process.require_tool("frobnicate")


ROW = '[one]\npackage = "p"\npurpose = "to try"\nneed = "build"\n'


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"build"', '"biuld"', 5, "one.need: 'biuld' is none of build, mmdebstrap, "),
        ('"build"', '"biuld"', 5, "; did you mean 'build'?"),
        ('"build"', "3", 5, "one.need: not a text, or an empty one"),
        ('"p"', '""', 3, "one.package: not a text, or an empty one"),
        ("need =", "needs =", 5, "one.needs: unknown key; did you mean 'need'?"),
        ('need = "build"\n', "", 2, "one has no need"),
        ('need = "build"', 'need = "build"\nask = "-V"', 6, "one.ask: not a list of texts"),
        ('need = "build"', 'need = "build"\nmodule = 1', 6, "one.module: not true or false"),
        ("[one]\n", 'one = "x"\n', 2, "one is not a table: write [one]"),
        ("[one]", "[one", 2, "Expected ']'"),
    ],
)
def test_a_table_that_is_not_well_formed_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, line: int, words: str
) -> None:
    path = tmp_path / "tools.toml"
    monkeypatch.setattr(tools, "TABLE", path)
    assert ROW.count(old) == 1
    path.write_text(f"# A table.\n{ROW.replace(old, new)}")
    if new.startswith("one ="):
        path.write_text(f"# A table.\n{new}")
    with pytest.raises(UsageError) as caught:
        tools.table.__wrapped__()
    assert caught.value.what == f"builder/host/tools.toml:{line} cannot be used"
    assert words in caught.value.cause


def test_a_good_table_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tools.toml"
    monkeypatch.setattr(tools, "TABLE", path)
    path.write_text(
        f"{ROW}ask = []\nmodule = true\n{ROW.replace('one', '/a/b')}".replace("[/a/b]", '["/a/b"]')
    )
    one, other = tools.table.__wrapped__().values()
    assert one == tools.Tool("one", "p", "to try", Need.BUILD, (), module=True)
    assert other == tools.Tool("/a/b", "p", "to try", Need.BUILD)


def test_no_other_place_names_packages() -> None:
    named = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in sources("builder")
        for node in syntax.nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for text in re.findall(r"apt-get install +(?:-y +)?[a-z]\S*", node.value)
    }
    assert not named


@needs_dpkg
def test_each_package_has_its_program_on_this_host() -> None:
    present = {name: paths(tool) for name, tool in TABLE.items()}
    asked = ["dpkg", "-S", *(path for some in present.values() for path in some)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    owners: dict[str, set[str]] = {}
    for line in told.splitlines():
        packages, _, path = line.rpartition(": ")
        owners[path] = {package.partition(":")[0] for package in packages.split(", ")}
    wrong = {}
    for name, some in present.items():
        owning = set().union(*(owners.get(path, set()) for path in some))
        package = TABLE[name].package
        if owning and not {package, f"{package}-minimal"} & owning:  # python3, by what it needs
            wrong[name] = owning
    assert not wrong
    assert len(owners) > 20
