"""Tasks: Invoke's tasks, with our letters and the options that every task has."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke.context import Context
from invoke.parser.argument import Argument
from invoke.tasks import Task
from invoke.tasks import task as plain_task

from builder.commandline.vocabulary import DRY, DRY_HELP, EVERYWHERE, LETTERS, OPTIONS


def flag(name: str, words: str) -> Argument:
    """An option that takes no value, with its letter; ``words`` are its help."""
    names = (name, LETTERS[name]) if name in LETTERS else (name,)
    return Argument(names=names, kind=bool, default=False, help=words)


class LetteredTask(Task[Any]):
    """A task whose options have only the letters of the vocabulary.

    ``-h`` is its help.  Its context has the options of every task (``quiet``, ``verbose``).
    """

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        made = super().arg_opts(name, default, taken_names)
        option = made["names"][0]
        made["names"] = [option, LETTERS[option]] if option in LETTERS else [option]
        return made

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The options; their help is restored, because Invoke discards it after the first call."""
        kept = dict(self.help)
        made = super().get_arguments(ignore_unknown_help)
        self.help = kept
        return [*made, *(flag(name, words) for name, words in EVERYWHERE.items())]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        context: Context = args[0]
        asked = {name: bool(kwargs.pop(name, False)) for name in EVERYWHERE}
        context.update({name: given or context.get(name, False) for name, given in asked.items()})
        return super().__call__(*args, **kwargs)


task = partial(plain_task, klass=LetteredTask, auto_shortflags=False)


def options(*shared: str, **more: str) -> dict[str, str]:
    """Help for a task's options: shared options by name (``shared``), its own as ``more``."""
    known = {**OPTIONS, DRY: DRY_HELP}
    return {name: known[name] for name in shared} | more
