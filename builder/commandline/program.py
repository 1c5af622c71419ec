"""The program that parses the command line: Invoke, with our exit codes, words and options.

``./bootstrap`` starts it.  A plain ``invoke`` finds ``tasks.py``, which starts it, too.  So both
behave alike: status 2 and three lines for a command line that cannot be parsed, UTF-8 whatever
the locale, and silence when the reader of the output has gone.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.program import Program as InvokeProgram

from builder import colour, early, shipped
from builder.commandline.task import flag
from builder.commandline.vocabulary import BARE, EVERYWHERE, GROUPS
from builder.console import put, put_json, put_lines
from builder.errors import UsageError
from builder.host.outlets import CLOSED, close_quietly, is_closed, reopen

# Invoke's own options that apply here: no task runs shell commands with Invoke.
_CORE = (
    "complete",
    "debug",
    "help",
    "list-depth",
    "list-format",
    "print-completion-script",
    "write-pyc",
)
_NAME = shipped.COMMAND if shipped.is_installed() else "invoke"
_COMPLETE = "--complete"
_HELP = {"-h", "--help"}
_FULL_HINT = (
    "redirect the output to a file system with free space (df -h shows them), or to a terminal"
)
_FORMATS = ("flat", "nested", "json")


class Program(InvokeProgram):
    """Invoke with one collection of tasks, and no configuration but our own."""

    def __init__(self, tasks: ModuleType) -> None:
        super().__init__(name=_NAME.capitalize(), binary=_NAME)
        self._tasks = tasks

    def create_config(self) -> None:
        """Ignore ``~/.invoke.yaml``, so that it cannot change what a task does."""
        self.config = Config(lazy=True)

    def update_config(self, merge: bool = True) -> None:
        """Only the options that every task has change the configuration."""
        self.config.load_overrides({name: self.args[name].value for name in EVERYWHERE})

    def core_args(self) -> list[Argument]:
        kept = [one for one in super().core_args() if one.name in _CORE]
        own = {"list": "List the tasks.", "version": "Show the version.", **EVERYWHERE}
        return [*kept, *(flag(name, words) for name, words in own.items())]

    def task_args(self) -> list[Argument]:
        return []

    def load_collection(self) -> None:
        self.collection = Collection.from_module(self._tasks)

    def parse_core_args(self) -> None:
        super().parse_core_args()
        if shell := self.args["print-completion-script"].value:
            from builder.commandline import completion  # noqa: PLC0415 - shells ask for it once

            try:
                put(completion.script(shell).rstrip("\n"))
            except UsageError as error:
                raise _told(error) from None
            raise Exit

    def complete(self, words: Sequence[str]) -> None:
        """Print the completions, one a line."""
        from builder.commandline import completion  # noqa: PLC0415

        self.load_collection()
        put_lines(completion.answer(self.collection, self.core_args(), words))

    def parse_core(self, argv: list[str] | None) -> None:
        with self._judged():
            super().parse_core(argv)
        # Invoke would make every run compile the builder again.
        sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

    def parse_tasks(self) -> None:
        words = self.core.unparsed
        asked = words and not words[0].startswith("-") and not _HELP.isdisjoint(words[1:])
        # Invoke would take the flag for the task's positional argument.
        self.core.unparsed = [] if asked else self._with_bare_words(words)
        with self._judged():
            super().parse_tasks()
        if asked:
            self.core[0].args["help"].value = words[0]

    def print_version(self) -> None:
        from builder.version import TOOLKIT, version  # noqa: PLC0415 - keeps everything else quick

        put(f"{TOOLKIT} {version()}")

    def list_flat(self) -> None:
        """The tasks in the order of use."""
        known = self._task_names()
        width = max(map(len, known))
        grouped = {name for tasks in GROUPS.values() for name in tasks}
        for group, tasks in {**GROUPS, "Other": sorted({*known} - grouped)}.items():
            if listed := [name for name in tasks if name in known]:
                put(f"{group}:")
                put_lines(f"  {name:<{width}}  {self._words(name)}" for name in listed)
                put("")
        put(f"Options of a task: {_NAME} TASK --help")

    def _words(self, task: str) -> str:
        return (self.collection[task].__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    def _with_bare_words(self, words: Sequence[str]) -> list[str]:
        """The words of a task, with the option's name added before a bare value."""
        if not words or words[0] not in BARE:
            return list(words)
        option, made, is_value = f"--{BARE[words[0]]}", [words[0]], False
        valued = {
            flag
            for one in self.collection[words[0]].get_arguments()
            if one.takes_value
            for flag in (f"{'-' if len(name) == 1 else '--'}{name}" for name in one.names)
        }
        for word in words[1:]:
            is_bare = not is_value and not word.startswith("-") and option not in made
            made += [option, word] if is_bare else [word]
            is_value = word in valued
        return made

    def parse_cleanup(self) -> None:
        with self._judged():
            if self.args["list-format"].value not in (None, *_FORMATS):
                raise ValueError(f"--list-format is one of {', '.join(_FORMATS)}")
            super().parse_cleanup()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """End with three lines and status 2 if Invoke cannot parse the words."""
        try:
            yield
        except (ParseError, ValueError) as error:
            from builder.report import failure  # noqa: PLC0415 - only for errors

            told = self._explained(error)
            if _wants_json(error):
                put_json(failure.as_json(failure.of(told)))
            raise _told(told) from None

    def _explained(self, error: ParseError | ValueError) -> UsageError:
        from builder.commandline.mistakes import Spoken  # noqa: PLC0415 - only for errors

        if not hasattr(self, "parser"):  # the program's own options come first
            return Spoken((), (), (), self.initial_context).explained(error)
        contexts = tuple(self.parser.contexts.values())
        spoken = Spoken(self.core.unparsed, self._task_names(), contexts, self.initial_context)
        return spoken.explained(error)

    def _task_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.collection.task_names))


def _told(error: UsageError) -> Exit:
    from builder.report import failure  # noqa: PLC0415 - only for errors

    message = colour.failure(failure.render(error, can_enter=False), sys.stderr)
    return Exit(message, error.exit_code)


def _wants_json(error: ParseError | ValueError) -> bool:
    """Whether the task's ``--json`` was read before the parse error."""
    context = error.context if isinstance(error, ParseError) else None
    return context is not None and "json" in context.args and bool(context.args["json"].value)


def main(tasks: ModuleType, words: Sequence[str]) -> NoReturn:
    """Run the tasks that ``words`` name, and end this process with their exit code."""
    _use_utf8()
    reopen()
    try:
        status = run(tasks, words)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        status = _unspeakable(error)
    sys.exit(status)


def run(tasks: ModuleType, words: Sequence[str]) -> int:
    """Run the tasks that ``words`` name; return the exit code."""
    program = Program(tasks)
    if words[:1] == [_COMPLETE]:
        program.complete(words[2:])
        return 0
    try:
        program.run([_NAME, *words])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _unspeakable(error: OSError) -> int:
    """The exit code if standard output or error cannot be written."""
    if is_closed(error):
        close_quietly()
        return CLOSED
    from builder.host import refusal  # noqa: PLC0415 - only for errors
    from builder.report import failure  # noqa: PLC0415

    told = refusal.told(error, "the output cannot be written", _FULL_HINT)
    try:
        sys.stderr.write(f"{failure.render(told, can_enter=False)}\n")
        sys.stderr.flush()
    except OSError:  # it cannot be written either
        pass
    close_quietly()
    return told.exit_code


def _use_utf8() -> None:
    """Use UTF-8 for messages, file names and files, whatever the locale says (PEP 540)."""
    if not sys.flags.utf8_mode and locale.getencoding().lower() not in ("utf-8", "utf8"):
        os.environ["PYTHONUTF8"] = "1"  # for programs that this program starts
        argv = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        early.become(argv)
