"""``python -m builder.setup [--yes] [TASK ...]``: prepare what is missing, then run the task.

Exit code 7 if the host cannot be prepared, 130 if that is interrupted, else the task's.
"""

from __future__ import annotations

from builder import early

if __name__ == "__main__":
    early.listen()

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from builder.errors import BuilderError, EnvironmentFailure, Interrupted
from builder.host import tools
from builder.host.tools import Need
from builder.invocation import pasted
from builder.setup import environment, packages

YES = ("--yes", "-y")
ROOT = Path(__file__).resolve().parents[2]
# Tasks that run the linters and tests.
TEST_TASKS = ("test",)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def split(words: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether ``--yes`` comes before the task, and the words without it for Invoke to judge."""
    task = next((n for n, word in enumerate(words) if not word.startswith("-")), len(words))
    before = [word for word in words[:task] if word not in YES]
    return len(before) < task, [*before, *words[task:]]


def needs(task: str, *, root: bool, long: bool = False) -> tuple[Need, ...]:
    """The needs of a task: the tools of every shipped base, so that any base can be built.

    ``long``: also what is too long for CI.
    """
    found = [Need.BUILD, Need.MMDEBSTRAP, Need.YUM]
    if not packages.engine_is_named_or_present():
        found.append(Need.ENGINE)
    if not root:
        found.append(Need.MMDEBSTRAP_USER)
    if task in TEST_TASKS:
        found += [Need.STORE, Need.MEASURE, Need.TEST, *([Need.LONG] if long else [])]
    return tuple(found)


def prepare(root: Path, words: Sequence[str], *, yes: bool) -> Path:
    """Install what the task lacks; returns the folder of the Python environment.

    Raises EnvironmentFailure if something cannot be installed.
    """
    _require_encoding(root)
    task = next((word for word in words if not word.startswith("-")), "")
    wanted = needs(task, root=os.getuid() == 0, long="--long" in words)
    missing = packages.missing(tools.of(*wanted))
    if missing:
        packages.install(missing, yes=yes)
    kind = "test" if task in TEST_TASKS else "runtime"
    return environment.ensure(root, kind)


def _require_encoding(root: Path) -> None:
    try:
        os.fsencode(root).decode()
    except UnicodeDecodeError:
        raise EnvironmentFailure(
            "this checkout cannot be used where it is",
            f"its path is not valid UTF-8: {os.fsencode(root)!r}",
            "move it to a path that is, such as ~/director-builder",
        ) from None


def _fail(error: BuilderError) -> int:
    hint = pasted(error.hint, ROOT)
    lines = (f"failed: {error.what}", f"cause: {error.cause}", f"next:  {hint}")
    print("\n".join(lines), file=sys.stderr)
    return error.exit_code


def main(arguments: Sequence[str]) -> int:
    early.go_back()
    yes, words = split(arguments)
    try:
        with early.heard(_raise_interrupt):
            folder = prepare(ROOT, words, yes=yes)
    except KeyboardInterrupt:
        packages.say("interrupted")
        return Interrupted.exit_code
    except BuilderError as error:
        return _fail(error)
    except OSError as error:
        return _fail(environment.refused(error, ROOT))
    return environment.run(folder, words or ["--list"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
