"""The tasks and options, in the order of use, for the pages about them."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from invoke.collection import Collection
from invoke.parser.argument import Argument

from builder.commandline.vocabulary import BARE, EVERYWHERE, GROUPS


@dataclass(frozen=True)
class Switch:
    """An option.  ``forms``: how it is written (``--profile=VALUE``, ``-p``)."""

    forms: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class TaskWords:
    """A task.  ``usage``: its name and the words that follow it without an option's name."""

    name: str
    usage: str
    help: str
    options: tuple[Switch, ...]


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that are listed together."""

    name: str
    tasks: tuple[TaskWords, ...]


def everywhere() -> tuple[Switch, ...]:
    """The options of every task."""
    return tuple(Switch((f"--{name}", f"-{name[0]}"), words) for name, words in EVERYWHERE.items())


def groups(tasks: ModuleType) -> tuple[TaskGroup, ...]:
    """All tasks of a module."""
    collection = Collection.from_module(tasks)
    return tuple(
        TaskGroup(group, tuple(_task(collection, name) for name in listed))
        for group, listed in GROUPS.items()
    )


def _task(collection: Collection, name: str) -> TaskWords:
    task = collection[name]
    arguments = task.get_arguments()
    words = [one.name.upper() for one in arguments if one.positional]
    words += [f"[{BARE[name].upper()}]"] if name in BARE else []
    given = [one for one in arguments if not one.positional and one.name not in EVERYWHERE]
    return TaskWords(
        name,
        " ".join((name, *words, *(["[OPTIONS]"] if given else []))),
        " ".join((task.__doc__ or "").split()),
        tuple(map(_option, given)),
    )


def _option(argument: Argument) -> Switch:
    value = "=VALUE" if argument.takes_value else ""
    long = [f"--{name}{value}" for name in argument.names if len(name) > 1]
    short = [f"-{name}" for name in argument.names if len(name) == 1]
    return Switch((*long, *short), argument.help or "")
