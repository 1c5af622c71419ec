"""The program that reads the command line: Invoke's, with our exit codes, words and options.

``./bootstrap`` starts it.  A plain ``invoke`` finds ``tasks.py``, which hands over to it, so that
both end alike: status 2 and three lines for what cannot be understood, UTF-8 whatever the locale,
and silence when the reader of the output has gone.
"""

from __future__ import annotations

import locale
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.program import Program
from invoke.tasks import Task
from invoke.tasks import task as plain_task

from builder import early, names, shipped
from builder.commands.interruption import interruptible, leave
from builder.console import Console, put, put_json, put_lines
from builder.errors import Interrupted, UsageError
from builder.host import refusal
from builder.host.outlets import CLOSED, close_quietly, is_closed, reopen
from builder.host.paths import Cache, Project, find_cache, find_project, project_around
from builder.place import Place
from builder.report import failure

# Of Invoke's own options those that mean something here: no task runs shell commands by it.
_CORE = (
    "complete",
    "debug",
    "help",
    "list-depth",
    "list-format",
    "print-completion-script",
    "write-pyc",
)
# Options that may be given as a bare word: Invoke's positional arguments cannot be left out.
_BARE = {"init": "folder", "update": "source", "show": "what"}
# What is made must be readable to whom containers run as, whatever the caller's own umask is.
UMASK = 0o022
_NAME = shipped.COMMAND if shipped.is_installed() else "invoke"
PROFILE = os.environ.get("LVS_PROFILE") or "el6"
"""What is built if no profile is named."""
GROUPS = {
    "Build": ("build", "fetch", "image", "patch", "tree", "repo", "vm", "smoke"),
    "Prove": ("lab", "judge", "lab-console"),
    "Understand": ("doctor", "show", "explain", "shell", "report"),
    "Maintain": ("init", "update", "verify", "clean"),
    "Develop": ("test", "bench"),
}
"""All tasks, as they are listed: in the order of use."""
_CHOICES = {
    "stage": ("such as build:kernel, or smoke for everything", "invoke show stages"),
    "host": (
        "a host of the lab that was kept running, such as director or web1",
        "invoke lab --help",
    ),
}
"""What a positional argument may be, and where its values are listed."""
_OPTIONS = {
    "profile": f"what to build: a folder of specs/ (default {PROFILE}, or what LVS_PROFILE names)",
    "flavour": "the kernel's configuration (default: the profile's)",
    "base": "what it is built in: a folder of dockerfiles/ (default: the profile's)",
    "jobs": "how many programs compute at the same time (default: number of CPUs)",
    "hermetic": "refuse a base whose packages are not those of its packages.lock",
    "locked": "refuse sources that sources.lock does not pin (default in CI)",
    "only": "components, separated by commas (default: all)",
    "variant": "variants of sources, each as SOURCE=VARIANT (default: what is available first)",
    "json": "print the result for programs",
}
_DRY = ("--dry", "-R")
_HELP = {"-h", "--help"}
_FULL_HINT = "lead the output to a file system with free space (df -h shows them), or to a terminal"
_FORMATS = ("flat", "nested", "json")
_UNKNOWN = re.compile(r"^No idea what '(.*)' is!$", re.DOTALL)
_LACKING = re.compile(r"^'(.*)' did not receive required positional arguments: (.*)$")
_VALUELESS = re.compile(r"^Flag <Argument: ([^ >]+).*> needed value and was not given one!$")


class _Task(Task[Any]):
    """A task whose ``-h`` is help, whatever its options are called."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        return super().arg_opts(name, default, {*taken_names, "h"})

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The options, whose help Invoke forgets when it has made them once."""
        kept = dict(self.help)
        made = super().get_arguments(ignore_unknown_help)
        self.help = kept
        return made


task = partial(plain_task, klass=_Task)


def options(*shared: str, **more: str) -> dict[str, str]:
    """Help for a task's options: what several tasks have by ``shared``, its own as ``more``."""
    return {name: _OPTIONS[name] for name in shared} | more


@contextmanager
def command(
    profile: str | None = None, *, json: bool = False, project: Project | None = None
) -> Iterator[Place]:
    """Run a task's block; a failure ends in three lines and its exit code, never a traceback.

    ``profile``: what it works on, so that hints name it.  ``json``: a failure is told in JSON, too.
    ``project``: where it works, by default the project that the user is in.
    """
    os.umask(UMASK)
    cache: Cache | None = None
    try:
        cache = find_cache()
        with interruptible():
            yield Place(project or find_project(), cache, Console())
    except Exit:  # a command's own exit status, such as the shell's
        raise
    except (KeyboardInterrupt, Exception) as caught:
        from builder.commands import outcome  # noqa: PLC0415 - not needed by what goes well

        named = "" if profile in {None, PROFILE} else profile or ""
        if json and (answer := outcome.answer(caught, cache, named)):
            put_json(answer)
        message, code = outcome.of(caught, cache, named)
        if code == Interrupted.exit_code:
            leave(message, code)
        raise Exit(message, code) from None


class _Program(Program):
    """Invoke with one collection of tasks, and no configuration but our own."""

    def __init__(self, tasks: ModuleType) -> None:
        super().__init__(name=_NAME.capitalize(), binary=_NAME)
        self._tasks = tasks

    def create_config(self) -> None:
        """Nobody's ``~/.invoke.yaml`` changes what a task does."""
        self.config = Config(lazy=True)

    def update_config(self, merge: bool = True) -> None:
        """No option changes the configuration."""

    def core_args(self) -> list[Argument]:
        kept = [one for one in super().core_args() if one.name in _CORE]
        return [
            *kept,
            Argument(names=("list", "l"), kind=bool, default=False, help="List the tasks."),
            Argument(names=("version", "V"), kind=bool, default=False, help="Show the version."),
        ]

    def task_args(self) -> list[Argument]:
        return []

    def load_collection(self) -> None:
        self.collection = Collection.from_module(self._tasks)

    def parse_core(self, argv: list[str] | None) -> None:
        with self._judged():
            super().parse_core(argv)
        # Invoke would have every run compile the builder anew.
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
        from builder.version import TOOLKIT, version  # noqa: PLC0415 - keeps all else quick

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
        """The words of a task, with the option's name before one that may be given bare."""
        if not words or words[0] not in _BARE:
            return list(words)
        option, made, is_value = f"--{_BARE[words[0]]}", [words[0]], False
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
        """What Invoke cannot understand ends in three lines and status 2."""
        try:
            yield
        except (ParseError, ValueError) as error:
            told = self._explained(error)
            if _wants_json(error):
                put_json(failure.as_json(failure.of(told)))
            raise Exit(failure.render(told, can_enter=False), told.exit_code) from None

    def _explained(self, error: ParseError | ValueError) -> UsageError:
        context = error.context if isinstance(error, ParseError) else None
        task = context.name if context is not None and context.name else ""
        words = str(error)
        unknown, lacking, valueless = (
            pattern.match(words) for pattern in (_UNKNOWN, _LACKING, _VALUELESS)
        )
        if unknown and unknown[1].startswith("-"):
            return self._unknown_option(unknown[1], task)
        if unknown:
            known = self._task_names()
            if unknown[1] in self._profiles():
                first = next((word for word in self.core.unparsed if word in known), "build")
                return UsageError(
                    f"there is no task {names.shown(unknown[1])}",
                    f"{unknown[1]} is a profile, which an option names",
                    f"invoke {first} --profile {unknown[1]}",
                )
            return UsageError(
                f"there is no task {names.shown(unknown[1])}{names.nearest(unknown[1], known)}",
                f"tasks: {', '.join(known)}",
                "invoke --list",
            )
        hint = f"invoke {task} --help" if task else "invoke --list"
        if lacking:
            hint = f"invoke {lacking[1]} --help"
            missing = lacking[2].replace("'", "")
            cause, hint = _CHOICES.get(missing, ("nothing was given for it", hint))
            return UsageError(f"task {lacking[1]} needs a {missing}", cause, hint)
        if valueless:
            return UsageError(f"option --{valueless[1]} needs a value", "it was given none", hint)
        return UsageError("the command line cannot be understood", words, hint)

    def _unknown_option(self, word: str, task: str) -> UsageError:
        option = word.partition("=")[0]
        if option in _DRY:
            return UsageError(
                f"there is no option {option}",
                "nothing is run by way of Invoke, so that its dry run would run everything",
                "invoke explain smoke (it says what would run, and why)",
            )
        contexts = [one for one in self.parser.contexts.values() if one.name == task]
        known = [flag for one in contexts or [self.initial_context] for flag in one.flags]
        owner = f"task {task} has" if task else "there is"
        return UsageError(
            f"{owner} no option {names.shown(option)}{names.nearest(option, known)}",
            f"options: {', '.join(sorted(flag for flag in known if flag.startswith('--')))}",
            f"invoke {task} --help" if task else "invoke --list",
        )

    @staticmethod
    def _profiles() -> tuple[str, ...]:
        from builder.profile.load import available  # noqa: PLC0415 - only for what goes wrong

        project = project_around()
        return () if project is None else available(project.specs)

    def _task_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.collection.task_names))


def _wants_json(error: ParseError | ValueError) -> bool:
    """Whether the task's ``--json`` had been read when the command line became unintelligible."""
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
    """Run the tasks that ``words`` name; the exit code."""
    try:
        _Program(tasks).run([_NAME, *words])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _unspeakable(error: OSError) -> int:
    """The status if standard output or error does not take what is said."""
    if is_closed(error):
        close_quietly()
        return CLOSED
    told = refusal.told(error, "the output cannot be written", _FULL_HINT)
    try:
        sys.stderr.write(f"{failure.render(told, can_enter=False)}\n")
        sys.stderr.flush()
    except OSError:  # nor can that
        pass
    close_quietly()
    return told.exit_code


def _use_utf8() -> None:
    """Messages, names of files and files are UTF-8, whatever the locale says (PEP 540)."""
    if not sys.flags.utf8_mode and locale.getencoding().lower() not in ("utf-8", "utf8"):
        os.environ["PYTHONUTF8"] = "1"  # for programs that this one starts
        argv = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        early.become(argv)
