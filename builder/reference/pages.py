"""The pages of ``docs/reference/``, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from builder import errors
from builder.commandline.described import Switch, TaskGroup
from builder.host.outlets import CLOSED
from builder.lab.oracle.rows import ROWS
from builder.pipeline.stagename import StageKind
from builder.reference.documents import Written
from builder.reference.keys import FileKey, tables, title

MADE = "<!-- Made by `python -m builder.reference`; edit the code that it describes. -->"
STAGES = {
    StageKind.FETCH: ("a source", "the verified file"),
    StageKind.UNPACK: ("a source", "its files"),
    StageKind.INNER: ("a component", "the tree out of an archive in the source"),
    StageKind.PREP: ("a component", "the patched tree"),
    StageKind.IMAGE: ("`build` or `guest`", "the root file system to build in, or of guests"),
    StageKind.CHECKS: ("", "header copies and Kconfig symbols are compared before a compile"),
    StageKind.BUILD: ("a component", "its RPMs"),
    StageKind.REPO: ("", "the yum repository, with the proof that its packages install"),
    StageKind.VM: ("", "the disk image"),
    StageKind.SMOKE: ("", "the verdict of the image's self-test"),
    StageKind.RECORD: ("a scenario", "the captures and counters of its run"),
    StageKind.LAB: ("a scenario", "the verdict of the oracle, and its page"),
}
"""The name and the output of a stage of each kind."""


def configuration(documents: Sequence[Written]) -> str:
    """The keys of the files that people write."""
    lines = [
        *_head("Configuration files"),
        "Unknown keys, wrong types, values of another form and references to things that do not"
        " exist are refused with file and line, status 2, before anything runs. `NAME` stands for"
        " a name: lower-case letters, digits, `.`, `_` and `-`, at most 64 characters.",
        "",
        "Editors that know JSON schemas complete and check these files: the first line of each"
        " names its schema.",
    ]
    for document in documents:
        lines += ["", f"## {document.title}", "", _where(document)]
        for root in document.roots:
            if len(document.roots) > 1:
                lines += ["", f"### {title(root).rstrip('.')}"]
            for table in tables(document, root):
                heads = ", ".join(f"`{head}`" for head in table.places if head)
                lines += ["", f"{heads}: {_lower(table.title)}" if heads else table.title, ""]
                lines += _keys(table.keys)
    return _page(lines)


def _where(document: Written) -> str:
    place = document.place if "`" in document.place else f"`{document.place}`"
    schema = document.schema and f"; schema: [{document.schema}](../../{document.schema})"
    return f"{place[0].upper()}{place[1:]}{schema}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _keys(keys: Iterable[FileKey]) -> Iterator[str]:
    rows = (
        (f"`{key.name}`", key.type, "required" if key.default is None else key.default, key.meaning)
        for key in keys
    )
    return _table(("key", "type", "default", "meaning"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; double backquotes of docstrings become Markdown's, and bars are escaped."""
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        cells = (cell.replace("``", "`").replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |".replace("  ", " ")


def assertions() -> str:
    """What the oracle holds captures against."""
    lines = [
        *_head("Assertions"),
        "The lab and `invoke judge` check captures against these. A scenario names them in `rows`,"
        " and in `must_fail` for a negative control.",
        "",
        *_table(
            ("assertion", "must hold"), ((f"`{row.name}`", row.must_hold) for row in ROWS.values())
        ),
    ]
    return _page(lines)


def stages() -> str:
    """The kinds of stages."""
    lines = [
        *_head("Stages"),
        "A stage is named `KIND` or `KIND:NAME`. `invoke show stages` lists those of a build, and"
        " what each needs.",
        "",
        *_table(
            ("kind", "name", "makes"),
            ((f"`{kind}`", *STAGES[kind]) for kind in StageKind),
        ),
    ]
    return _page(lines)


def statuses() -> str:
    """Exit statuses, out of the classes of errors."""
    found: dict[int, list[str]] = {
        0: ["Everything that was asked for is done."],
        1: ["A fault of the builder, which prints a traceback; report it."],
        CLOSED: ["The reader of the output has exited, as in `invoke --list | head -1`."],
    }
    for kind in _errors(errors.BuilderError):
        found.setdefault(kind.exit_code, []).append(title_of(kind))
    rows = ((str(code), " ".join(words)) for code, words in sorted(found.items()))
    lines = [*_head("Exit statuses"), *_table(("status", "meaning"), rows)]
    return _page(lines)


def title_of(kind: type) -> str:
    """The first line of a class's docstring."""
    return (kind.__doc__ or "").partition("\n")[0]


def _errors(kind: type[errors.BuilderError]) -> Iterator[type[errors.BuilderError]]:
    for one in kind.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from _errors(one)


def tasks(everywhere: Iterable[Switch], groups: Iterable[TaskGroup]) -> str:
    """Tasks and their options; ``everywhere``: those of every task."""
    lines = [
        *_head("Tasks"),
        "`./bootstrap TASK`, `.venv/bin/invoke TASK` and, once installed, `lvs-builder TASK` do"
        " the same. Every task also has:",
        "",
        *_options(everywhere),
    ]
    for group in groups:
        lines += ["", f"## {group.name}"]
        for task in group.tasks:
            lines += ["", f"### {task.name}", "", f"`invoke {task.usage}`", "", task.help]
            if task.options:
                lines += ["", *_options(task.options)]
    return _page(lines)


def _options(options: Iterable[Switch]) -> Iterator[str]:
    rows = ((f"`{' '.join(filter(None, one.forms))}`", one.help) for one in options)
    return _table(("option", "meaning"), rows)


def _head(title: str) -> tuple[str, ...]:
    return (f"# {title}", "", MADE, "")


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
