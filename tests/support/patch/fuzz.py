"""Makes patches, spoils them, and holds the builder against GNU patch.

``python -m tests.support.patch.fuzz FOLDER SEED COUNT``.  Ends with status 0 and what came of the
patches, or 1 and the number of the first one of which the builder makes another tree than
GNU patch: kept in ``FOLDER/harm`` (``patch`` and ``tree``).
"""

from __future__ import annotations

import difflib
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from builder.errors import BuilderError
from builder.patch.apply import apply
from builder.patch.series import load
from tests.support.patch import gnu

NAMES = ("x", "y", "x.orig", "x.new", "d/x", "d/y", "d/e/z", "d/long.name")
WORDS = ("", "{", "}", "\treturn;", "one", "two", "three", "#if 0", "- item", "+ item", "@@", "-- ")
MESSAGE = (
    *(
        "Subject: one",
        "",
        "+++ is an operator",
        "--- a/x",
        "+++ b/y",
        "@@ marks",
        "---",
        "diff --git",
    ),
    *(
        "3d",
        "Index: foo",
        "    --- a/y",
        "> --- a/x",
        "*** stars",
        "# comment",
        "-- ",
        "diff -ru a b",
    ),
)
TIMES = ("", "\t2026-01-02 03:04:05.000000000 +0000", " 2026-01-02 03:04:05", "\t", " ")
NEVER = "\t1970-01-01 00:00:00.000000000 +0000"
# Where the builder refuses on purpose what GNU patch takes: "Stricter" in
# docs/explanation/patches.md.
STRICTER = re.compile(
    r"more lines than its header says|other lines than its header says|indented by"
    r"|rename or copy|does not say what to do|patch is truncated|takes? its name|exists already"
    r"|context diff|normal diff|ed script|begin with dashes|binary change|special file"
    r"|is a folder|is a file in this tree|not a plain path|climbs out|an absolute path"
    r"|already applied: .* has become|impossible line numbers|lacks one of its two names"
)
Tree = dict[str, list[str]]


def _lines(chance: random.Random) -> list[str]:
    return [f"{chance.choice(WORDS)}\n" for _ in range(chance.randrange(30))]


def _tree(chance: random.Random) -> Tree:
    return {name: _lines(chance) for name in chance.sample(NAMES, chance.randrange(1, 5))}


def _edit(chance: random.Random, lines: list[str], times: int) -> list[str]:
    made = list(lines)
    for _ in range(times):
        at = chance.randrange(len(made) + 1)
        made[at : at + chance.randrange(3)] = [
            f"{chance.choice((*WORDS, 'new', 'other'))}\n" for _ in range(chance.randrange(3))
        ]
    return made


def _cut_newline(chance: random.Random, lines: list[str]) -> list[str]:
    if lines and chance.random() < 0.1:
        return [*lines[:-1], lines[-1].rstrip("\n") or "end"]
    return lines


def _hunks(chance: random.Random, old: Sequence[str], new: Sequence[str]) -> list[str]:
    context = chance.choice((3, 3, 3, 1, 0, 2))
    text = [*difflib.unified_diff(old, new, n=context)][2:]
    return [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in text
    ]


def _header(chance: random.Random, name: str, *, new: bool, gone: bool) -> list[str]:
    """Names of both sides as people write them."""
    if chance.random() < 0.3:
        head = [f"diff --git a/{name} b/{name}\n"]
        if new or gone:
            head.append(
                f"{'new' if new else 'deleted'} file mode {chance.choice(('100644', '100755'))}\n"
            )
        old = "/dev/null" if new else f"a/{name}"
        return [*head, f"--- {old}\n", f"+++ {'/dev/null' if gone else f'b/{name}'}\n"]
    other = chance.choice(NAMES) if chance.random() < 0.2 else name
    sides = [f"a/{name}", f"b/{other}"] if chance.random() < 0.5 else [f"a/{other}", f"b/{name}"]
    if chance.random() < 0.1:
        sides[0] = f'"{sides[0]}"'
    times = [chance.choice(TIMES), chance.choice(TIMES)]
    for side, absent in enumerate((new, gone)):
        if absent and chance.random() < 0.5:
            sides[side], times[side] = "/dev/null", ""
        elif absent and chance.random() < 0.7:
            times[side] = NEVER
    index = [f"Index: foo/{chance.choice(NAMES)}\n"] if chance.random() < 0.1 else []
    return [*index, f"--- {sides[0]}{times[0]}\n", f"+++ {sides[1]}{times[1]}\n"]


def _moved(chance: random.Random, tree: Tree) -> list[str]:
    """A rename, copy or change of mode, without hunks."""
    name, other = chance.choice(sorted(tree)), chance.choice(NAMES)
    kind = chance.choice(("rename", "copy", "mode"))
    if kind == "mode":
        return [f"diff --git a/{name} b/{name}\n", "old mode 100644\n", "new mode 100755\n"]
    head = [f"diff --git a/{name} b/{other}\n", "similarity index 100%\n"]
    return [*head, f"{kind} from {name}\n", f"{kind} to {other}\n"]


def _diff(chance: random.Random, tree: Tree) -> list[str]:
    """The lines of a patch for some files of ``tree``, and for new ones."""
    made: list[str] = []
    for name in chance.sample(NAMES, chance.randrange(1, 4)):
        old = tree.get(name, [])
        gone = name in tree and chance.random() < 0.15
        new = [] if gone else _cut_newline(chance, _edit(chance, old, chance.randrange(1, 4)))
        hunks = _hunks(chance, old, new)
        if hunks:
            made += _header(chance, name, new=name not in tree, gone=gone) + hunks
    if chance.random() < 0.15 and tree:
        made += _moved(chance, tree)
    return made


def _message(chance: random.Random) -> list[str]:
    return [f"{line}\n" for line in chance.sample(MESSAGE, chance.randrange(6))]


def _spoil(chance: random.Random, lines: list[str]) -> bytes:
    """As mail programs, editors and accidents do; most patches stay as they are."""
    made = [*_message(chance), *lines]
    for likely, way in _LINES:
        made = way(chance, made) if chance.random() < likely else made
    text = "".join(made)
    for likely, turn in _TEXT:
        text = turn(chance, text) if chance.random() < likely else text
    return text.encode()


def _damage(chance: random.Random, lines: list[str]) -> list[str]:
    at = chance.randrange(len(lines) + 1)
    here = lines[at : at + 1]
    return [*lines[:at], *chance.choice(([], here * 2, ["junk\n"], ["\n"])), *lines[at + 1 :]]


def _overwrite(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice('-+ @\n\r\t0\\"/') + text[at + 1 :]


# How likely, and what.
_LINES: tuple[tuple[float, Callable[[random.Random, list[str]], list[str]]], ...] = (
    (0.2, lambda _, lines: [*lines, "-- \n", "2.39.5\n"]),
    (0.15, lambda _, lines: [line if line.strip() else "\n" for line in lines]),
    (0.1, _damage),
    (0.05, lambda chance, lines: lines[: chance.randrange(len(lines) + 1)]),
    (0.05, lambda _, lines: [f"  {line}" for line in lines]),
)
_TEXT: tuple[tuple[float, Callable[[random.Random, str], str]], ...] = (
    (0.15, lambda _, text: text.replace("\n", "\r\n")),
    (0.15, lambda _, text: text.removesuffix("\n")),
    (0.03, _overwrite),
)


def _write(folder: Path, tree: Tree, *, returns: bool) -> None:
    for name, lines in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(lines)
        path.write_bytes((text.replace("\n", "\r\n") if returns else text).encode())


def make(chance: random.Random, folder: Path) -> bytes:
    """A tree in ``folder``/tree, and a patch that was made for one like it."""
    tree = _tree(chance)
    patch = _spoil(chance, _diff(chance, tree))
    drift = chance.random() < 0.4
    there = {
        name: _cut_newline(chance, _edit(chance, lines, 1) if drift else lines)
        for name, lines in tree.items()
    }
    (folder / "tree").mkdir(parents=True)
    _write(folder / "tree", there, returns=chance.random() < 0.1)
    return patch


def compare(folder: Path, patch: bytes) -> str:
    """What came of it: applied, refused, stricter or better.  Raises AssertionError for harm."""
    tree, series = folder / "tree", folder / "series"
    series.mkdir(exist_ok=True)
    (series / "0001.patch").write_bytes(patch)
    (series / "series").write_text("0001.patch\n")
    theirs, before = gnu.apply(tree, patch, folder), gnu.state(tree)
    try:
        apply(load(series), tree)
    except BuilderError as error:
        assert gnu.state(tree) == before, "refused, and changed the tree"
        assert error.what
        assert error.cause
        assert error.hint
        if not theirs.applied or theirs.tree == before:
            return "refused"
        assert STRICTER.search(str(error)), f"refused what GNU patch takes: {error}"
        return "stricter"
    ours = gnu.state(tree)
    if theirs.applied and theirs.tree == ours:
        return "applied"
    _restore(tree, before)
    assert _is_better(folder, patch, ours), f"another tree than GNU patch makes: {theirs.text}"
    return "better"


def _is_better(folder: Path, patch: bytes, ours: gnu.State) -> bool:
    """Whether GNU patch makes the same of the patch with its last line feed, and without CR.

    Files keep the line ends that they had.
    """
    tree, before = folder / "tree", gnu.state(folder / "tree")
    whole = patch if patch.endswith(b"\n") else patch + b"\n"
    plain = whole.replace(b"\r\n", b"\n")
    kinds_kept = all(
        (b"\r\n" in data) == (b"\r\n" in ours[name][0])
        for name, (data, _) in before.items()
        if data and ours.get(name, (b"", False))[0]
    )
    _restore(tree, _without_returns(before))
    answer = gnu.apply(tree, plain, folder)
    alike = answer.applied and answer.tree == _without_returns(ours)
    return plain != patch and kinds_kept and alike


def _without_returns(state: gnu.State) -> gnu.State:
    return {name: (data.replace(b"\r\n", b"\n"), runs) for name, (data, runs) in state.items()}


def _restore(tree: Path, state: gnu.State) -> None:
    shutil.rmtree(tree)
    tree.mkdir()
    for name, (data, _) in state.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)


def run(folder: Path, seed: int, count: int) -> Mapping[str, int]:
    """Compare ``count`` patches.  Raises AssertionError with the first that does harm."""
    outcomes = Counter[str]()
    for number in range(count):
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - the same patches every time
        place = folder / str(number)
        patch = make(chance, place)
        shutil.copytree(place / "tree", place / "first")
        try:
            outcomes[compare(place, patch)] += 1
        except BaseException:
            shutil.rmtree(folder / "harm", ignore_errors=True)
            shutil.copytree(place / "first", folder / "harm" / "tree")
            (folder / "harm" / "patch").write_bytes(patch)
            print(f"patch {number} of seed {seed}: see {folder / 'harm'}", file=sys.stderr)
            raise
        shutil.rmtree(place)
    return outcomes


if __name__ == "__main__":
    for outcome, times in sorted(run(Path(sys.argv[1]), *map(int, sys.argv[2:])).items()):
        print(outcome, times)
