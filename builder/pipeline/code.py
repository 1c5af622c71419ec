"""The builder's own modules that decide a stage's output, and their digests.

A module counts together with all builder modules that it imports, also within its functions.  If a
module has several stages, ``module:function`` counts together with what the function uses of the
module and imports.  A digest is of code: comments, docstrings, annotations of functions and layout
do not count.  Results are kept with each file's status, so that a run in which nothing has changed
reads no module.
"""

from __future__ import annotations

import ast
import functools
import gc
import threading
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode, of_text
from builder.errors import EnvironmentFailure
from builder.host.whole import write_whole
from builder.pipeline.digest import Input, files

PACKAGE = Path(__file__).parents[1]
_TALKS = "says what goes on or what is wrong"
_REFUSES = "refuses malformed names and values, and changes none"
_CARRIES = "what a stage uses of these values is among its inputs"
APART: dict[str, str] = {
    "builder.console": _TALKS,
    "builder.early": _TALKS,
    "builder.engine": "what a container gets is an input of its stage, and how it is fenced in",
    "builder.errors": _TALKS,
    "builder.host.buildlog": _TALKS,
    "builder.host.builduser": "chooses whom programs run as",
    "builder.host.children": "ends programs",
    "builder.host.flock": "waits",
    "builder.host.fulldisk": _TALKS,
    "builder.host.lock": "waits",
    "builder.host.outlets": _TALKS,
    "builder.host.paths": "knows where things lie on this host",
    "builder.host.process": "starts programs, whose arguments are the callers'",
    "builder.host.refusal": _TALKS,
    "builder.host.removal": "removes what is not needed any more",
    "builder.host.terminal": _TALKS,
    "builder.host.temporary": "names folders that are removed",
    "builder.host.tools": _TALKS,
    "builder.invocation": _TALKS,
    "builder.names": _REFUSES,
    "builder.pipeline": "runs stages, and puts out nothing of its own",
    "builder.profile": _CARRIES,
    "builder.shown": _TALKS,
    "builder.stages.setting": _CARRIES,
    "builder.toml": _REFUSES,
    "builder.values": _REFUSES,
}
"""Modules, and packages with all that is in them, that decide on no output, with the reason."""


Status = tuple[int, int, int, int, int]


class Module(msgspec.Struct, frozen=True):
    """What is known of a file: ``status`` is its device, inode, size, and both its times.

    ``data``: files and folders that it finds relative to itself, below the package.
    """

    status: Status
    sha256: Digest
    imports: tuple[str, ...]
    data: tuple[str, ...] = ()


class Code:
    """The builder's modules; ``memo``: the file that keeps results, if any may."""

    def __init__(self, memo: Path | None, package: Path = PACKAGE) -> None:
        self._package = package
        self._memo = memo
        self._guard = threading.Lock()
        self._known: dict[str, Module] = {}
        self._looked: dict[str, Module | None] = {}
        self._new = False
        if memo is not None and memo.is_file():
            try:
                self._known = decode(memo.read_bytes(), dict[str, Module])
            except (OSError, msgspec.DecodeError):
                self._known = {}  # all is read again

    def of(self, *modules: str, apart: frozenset[str] = frozenset()) -> tuple[Input, ...]:
        """Inputs for modules and all that they import, but for ``APART`` and ``apart``."""
        with self._guard:
            found = self._closure(modules, APART.keys() | apart)
        return self._inputs(found)

    def alone(self, *modules: str) -> tuple[Input, ...]:
        """Inputs for modules without what they import: values come from there, and are inputs."""
        with self._guard:
            found = {name: self._require(name) for name in modules}
        return self._inputs(found)

    def keep(self) -> None:
        """Save the results, if there is anything new and a file for it."""
        with self._guard:
            if self._memo is not None and self._new:
                there = {name: one for name, one in self._looked.items() if one is not None}
                write_whole(self._memo, encode(self._known | there))
                self._new = False

    def _inputs(self, found: dict[str, Module]) -> tuple[Input, ...]:
        data = {self._package / path for one in found.values() for path in one.data}
        return (
            *(
                Input(f"code:{name.removeprefix('builder.')}", found[name].sha256)
                for name in sorted(found)
            ),
            *(one for one in files("data", self._package, data) if not one.name.endswith(".py")),
        )

    def _closure(self, modules: Iterable[str], apart: Set[str]) -> dict[str, Module]:
        found: dict[str, Module] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found[name] = self._require(name)
            waiting += [one for one in found[name].imports if not is_apart(one, apart)]
        return found

    def _require(self, name: str) -> Module:
        found = self._look(name)
        if found is None:
            raise EnvironmentFailure(
                f"the builder lacks its module {name}",
                f"{_file(self._package, name)} does not exist",
                "check the checkout: git status",
            )
        return found

    def _look(self, name: str) -> Module | None:
        """What is known of a module; None if there is none of that name."""
        if name not in self._looked:
            self._looked[name] = self._read(name)
        return self._looked[name]

    def _read(self, name: str) -> Module | None:
        path = _file(self._package, name)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        status = (
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )
        known = self._known.get(name)
        if known is not None and known.status == status:
            return known
        self._new = True
        return _module(self._package, name, status)


@functools.cache
def _module(package: Path, name: str, status: Status) -> Module:
    """A module as it is with this ``status``, which says whether the file has changed."""
    path = _file(package, name)
    tree = _plain(parsed(path))
    nodes = _used(tree, name.partition(":")[2])
    imports = {one for node in nodes for one in _imported(node, package)}
    text = "\n".join(ast.unparse(node) for node in nodes if not _is_import(node))
    data = sorted({one for node in nodes for one in _data(node, path, package)})
    return Module(status, of_text(text), tuple(sorted(imports - {name})), tuple(data))


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module's file.

    No garbage is collected meanwhile: what asyncio logs of a lost future has a traceback, for which
    Python 3.11 parses a line of it, and that ends the outer parser with a SystemError (gh-106905).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_bytes(), str(path))
    finally:
        if was_enabled:
            gc.enable()


def _file(package: Path, name: str) -> Path:
    path = package.joinpath(*name.partition(":")[0].split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(tree: ast.AST, package: Path) -> Iterator[str]:
    """The builder's modules that some code imports, with the packages that they are in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in named:
            yield from _with_packages(name, package)


def _data(tree: ast.AST, module: Path, package: Path) -> Iterator[str]:
    """What some code finds beside its module, by the longest path that it spells."""
    found = _beside(tree, module)
    if found is not None and found != module and found.is_relative_to(package):
        if found != package:
            yield str(found.relative_to(package))
        return
    for node in ast.iter_child_nodes(tree):
        yield from _data(node, module, package)


def _with_packages(name: str, package: Path) -> Iterator[str]:
    parts = name.split(".")
    if parts[0] != "builder":
        return
    for count in range(1, len(parts) + 1):
        part = ".".join(parts[:count])
        if _file(package, part).is_file():
            yield part


def is_apart(name: str, apart: Set[str] = APART.keys()) -> bool:
    """Whether a module is one of ``apart``, or in a package of these."""
    while name and name not in apart:
        name = name.rpartition(".")[0]
    return bool(name)


def _beside(node: ast.AST, module: Path) -> Path | None:
    """The path that an expression of ``Path(__file__)`` means; None for any other code."""
    match node:
        case ast.Call(func=ast.Name(id="Path"), args=[ast.Name(id="__file__")]):
            return module
        case ast.Attribute(value=value, attr="parent"):
            below = _beside(value, module)
            return below.parent if below else None
        case ast.Subscript(
            value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(number))
        ):
            below = _beside(value, module)
            return below.parents[number] if below else None
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str(name))):
            below = _beside(left, module)
            return below / name if below else None
        case ast.Call(
            func=ast.Attribute(value=value, attr="with_name"), args=[ast.Constant(value=str(name))]
        ):
            below = _beside(value, module)
            return below.with_name(name) if below else None
    return None


class _Plain(ast.NodeTransformer):
    """Removes what decides nothing: docstrings, and what only type checkers see."""

    def visit(self, node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return None
        self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _plain(tree: ast.Module) -> ast.Module:
    _Plain().visit(tree)
    return tree


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _used(tree: ast.Module, function: str) -> list[ast.stmt]:
    """The statements of a module that make up one of its functions; all if none is named.

    Those are its definition and those of all names in it, in turn.
    """
    if not function:
        return tree.body
    bound = [(node, frozenset(_bound(node))) for node in tree.body]
    wanted, seen = {function}, set[str]()
    used: set[int] = set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        for number, (node, names) in enumerate(bound):
            if name in names and number not in used:
                used.add(number)
                wanted |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - seen
    return [node for number, node in enumerate(tree.body) if number in used]


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                yield one.id
