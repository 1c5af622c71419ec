"""Text is UTF-8 wherever it is read or written, and told with file and line where it is not."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder import text
from builder.base.model import load_base
from builder.errors import UsageError
from builder.kernel import config
from builder.lab import catalogue
from builder.patch import series
from builder.profile import load
from builder.profile.build import resolve
from builder.rpm import capabilities, spec
from builder.rpm.spec import SpecContext
from builder.selftest import budget
from builder.source.pins import SourcesLock
from tests.support import syntax
from tests.world import ROOT

PROGRAMS = (ROOT / "tasks.py", *sorted((ROOT / "builder").rglob("*.py")))


def calls_without_encoding(program: Path) -> Iterator[str]:
    """Calls that read or write text in whatever encoding the locale has."""
    for node in syntax.nodes(program):
        if isinstance(node, ast.Call) and _takes_text(node) and not _is_told(node):
            yield f"{program.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def _is_told(call: ast.Call) -> bool:
    return any(keyword.arg == "encoding" for keyword in call.keywords)


def _takes_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if isinstance(call.func, ast.Name):
        name = call.func.id
    given = [one.value for one in call.args if isinstance(one, ast.Constant)]
    keywords = {keyword.arg for keyword in call.keywords}
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name in ("open", "fdopen"):
        modes = [one for one in given if isinstance(one, str) and set(one) <= set("rwxabt+")]
        return any("b" not in mode for mode in modes)
    return name in ("Popen", "run", "check_output") and bool(
        {"text", "universal_newlines"} & keywords
    )


def test_no_text_is_read_or_written_in_the_locale_s_encoding() -> None:
    assert [call for program in PROGRAMS for call in calls_without_encoding(program)] == []


def test_a_call_without_an_encoding_would_be_found() -> None:
    lines = ("p.read_text()", 'p.write_text("a")', 'p.open("w")', "subprocess.run(a, text=True)")
    for line in lines:
        found = [node for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call)]
        assert [_takes_text(node) and not _is_told(node) for node in found] == [True], line


BAD = b"first\nsecond \xe9t\xe9\n"


READERS: list[tuple[str, Callable[[Path], object]]] = [
    ("p/profile.toml", lambda root: load.load(root, "p")),
    ("p/sources.lock", lambda root: SourcesLock(root / "p/sources.lock")),
    ("p/base.toml", lambda root: load_base(root / "p")),
    ("p/series", lambda root: series.load(root / "p")),
    ("p/vm.config", lambda root: config.load([root / "p/vm.config"])),
    ("p/s.toml", lambda root: catalogue.load("s", root / "p", root / "p")),
    ("p/budget.toml", lambda root: budget.load(root / "p/budget.toml")),
    ("p/target.toml", lambda root: capabilities.load_target(root / "p/target.toml")),
]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_what_is_no_utf_8_is_told_with_file_and_line(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / name).write_bytes(BAD)
    with pytest.raises(UsageError) as caught:
        read(tmp_path)
    assert caught.value.what == f"{name}:2 is not UTF-8 text"
    assert caught.value.cause.startswith("byte 8 of that line is 0xe9")


def test_a_file_of_the_project_is_named_as_it_is_found_from_there(tmp_path: Path) -> None:
    (tmp_path / "specs/p").mkdir(parents=True)
    path = tmp_path / "specs/p/profile.toml"
    path.write_bytes(BAD)
    with pytest.raises(UsageError) as caught:
        load.load(tmp_path / "specs", "p")
    assert caught.value.what == "specs/p/profile.toml:2 is not UTF-8 text"
    assert caught.value.hint.endswith(f": iconv -f ISO-8859-1 -t UTF-8 {path}")
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError) as caught:
        text.read(path)
    assert caught.value.what == "specs/p/profile.toml is not a regular file"


@pytest.mark.parametrize("name", ["packages.txt", "keys/A"])
def test_a_file_that_a_base_names_is_read_so_too(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "centos6"
    (folder / "keys").mkdir(parents=True)
    text = (ROOT / "dockerfiles/centos6/base.toml").read_text(encoding="utf-8")
    text = text.replace('"build-packages.txt"', '"packages.txt"').replace(
        '"keys/RPM-GPG-KEY-CentOS-6"', '"keys/A"'
    )
    text = text.replace('"guest/sysv/packages.txt"', '"packages.txt"')
    (folder / "base.toml").write_text(text, encoding="utf-8")
    for other in ("packages.txt", "keys/A"):
        (folder / other).write_bytes(b"bash\n")
    (folder / name).write_bytes(b"bash\n\xff\n")
    with pytest.raises(UsageError, match="2 is not UTF-8 text"):
        load_base(folder)


def test_a_template_is_read_so_too(tmp_path: Path) -> None:
    profile = load.load(ROOT / "specs", "lts")
    base = load_base(ROOT / "dockerfiles" / profile.base)
    part = resolve(profile, "vm", base).parts["ipvsadm"]
    (tmp_path / "ipvsadm.spec.j2").write_bytes(b"Name: a\n{% include 'more.j2' %}\n")
    (tmp_path / "more.j2").write_bytes(BAD)
    context = SpecContext(part, {}, "vm", (), (), profile.changelog)
    with pytest.raises(UsageError) as caught:
        spec.render(tmp_path, context)
    assert caught.value.what == f"{tmp_path.name}/more.j2:2 is not UTF-8 text"


def test_line_feeds_end_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\r\ntwo\rthree\n")
    assert text.read(tmp_path / "a") == "one\ntwo\nthree\n"


def test_results_are_printed_in_one_place() -> None:
    """There names of others' files and texts of their patches are escaped."""
    calls = {
        path.name
        for path in PROGRAMS
        for node in syntax.nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and not any(word.arg == "file" for word in node.keywords)
    }
    assert calls == {"console.py"}


@pytest.mark.timeout(10)
def test_what_waits_for_a_writer_or_has_no_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name in ("pipe", "endless"):
        with pytest.raises(UsageError, match="is not a regular file"):
            text.read(tmp_path / name)
    (tmp_path / "endless").unlink()
    (tmp_path / "series").write_text("pipe\n")
    with pytest.raises(UsageError, match="is not a regular file"):
        series.load(tmp_path)
