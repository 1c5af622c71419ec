"""Shell completion: the tasks, options and existing values that may come next.

Shells call ``--complete -- WORD ...`` with the words after the program's name; the last word is
being typed.  Errors print nothing, because a completion has no place for messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from invoke.collection import Collection
from invoke.parser.argument import Argument

from builder.commandline.vocabulary import BARE, PROFILE
from builder.errors import BuilderError, UsageError
from builder.host.paths import Project, find_project

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("invoke", "inv", "bootstrap", "lvs-builder")
_BEFORE = ("--yes", "-y")  # bootstrap's own options


def script(shell: str) -> str:
    """The completion script that a shell reads once.  Raises UsageError for an unknown shell."""
    if shell not in SHELLS:
        raise UsageError(
            f"there is no completion for the shell {shell!r}",
            f"shells: {', '.join(SHELLS)}",
            "name one of these",
        )
    path = Path(__file__).parent / "shells" / f"completion.{shell}"
    return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Typed:
    """A command line, parsed up to the word that is being typed.

    ``task``: the last task; empty before the first.  ``given``: its options' values so far.
    ``asked``: the option whose value is being typed, if any.  ``head``: the part of the word
    before that value.  ``current``: the value, or the word.
    """

    task: str
    given: Mapping[str, str]
    asked: str
    head: str
    current: str


def answer(tasks: Collection, program: Sequence[Argument], words: Sequence[str]) -> list[str]:
    """All completions of the last of ``words``.  ``program``: the program's own options."""
    typed = _read(tasks, program, _own(words, tasks))
    try:
        found = _candidates(tasks, program, typed)
    except (BuilderError, OSError):
        found = []
    return [f"{typed.head}{one}" for one in found if one.startswith(typed.current)]


def _own(words: Sequence[str], tasks: Collection) -> list[str]:
    """The words as our scripts pass them; Invoke's script adds the program, omits an empty word."""
    if words and Path(words[0]).name in PROGRAMS:
        rest = list(words[1:])
        is_whole = not rest or rest[-1] in tasks.task_names or rest[-1].startswith("--")
        return [*rest, ""] if is_whole and not (rest and rest[-1] == "--") else rest
    return list(words) or [""]


def _options(arguments: Iterable[Argument]) -> dict[str, Argument]:
    """Options by their flags, the long ones first."""
    listed = [(name, one) for one in arguments for name in one.names]
    return {("-" if len(name) == 1 else "--") + name: one for name, one in listed}


class _WordReader:
    """Reads words one after the other, like the parser, but refuses none."""

    def __init__(self, tasks: Collection, program: Sequence[Argument]) -> None:
        self._tasks = tasks
        self._flags = _options(program)
        self.task = self.asked = ""
        self.given: dict[str, str] = {}

    def take(self, word: str) -> None:
        if self.asked:
            self.given[self.asked], self.asked = word, ""
        elif word.startswith("-"):
            self._take_option(word)
        elif free := _positional(self._tasks, self.task, self.given):
            self.given[free] = word
        elif word in self._tasks.task_names:
            self.task, self.given = word, {}
            self._flags = _options(self._tasks[word].get_arguments())

    def _take_option(self, word: str) -> None:
        flag, equals, value = word.partition("=")
        name = self._valued(flag)
        if name and equals:
            self.given[name] = value
        else:
            self.asked = name

    def _valued(self, flag: str) -> str:
        """The option of a flag that has a value; empty for all other flags."""
        found = self._flags.get(flag)
        return str(found.names[0]) if found is not None and found.takes_value else ""

    def typed(self, word: str) -> Typed:
        """The words that were read, and ``word``, which is being typed."""
        flag, equals, value = word.partition("=")
        name = self._valued(flag) if equals and not self.asked else ""
        if name:
            return Typed(self.task, self.given, name, f"{flag}=", value)
        return Typed(self.task, self.given, self.asked, "", word)


def _read(tasks: Collection, program: Sequence[Argument], words: Sequence[str]) -> Typed:
    reader = _WordReader(tasks, program)
    for word in words[:-1]:
        reader.take(word)
    return reader.typed(words[-1])


def _positional(tasks: Collection, task: str, given: Mapping[str, str]) -> str:
    """The option that a bare word after ``task`` would set; empty if none."""
    if not task:
        return ""
    names = [str(one.name) for one in tasks[task].get_arguments() if one.positional]
    names += [BARE[task]] if task in BARE else []
    return next((name for name in names if name not in given), "")


def _candidates(tasks: Collection, program: Sequence[Argument], typed: Typed) -> Sequence[str]:
    if typed.asked:
        return _values(typed.asked, typed)
    if typed.current.startswith("-"):
        arguments = tasks[typed.task].get_arguments() if typed.task else program
        more = () if typed.task else _BEFORE
        return [*(flag for flag in _options(arguments)), *more]
    positional = _positional(tasks, typed.task, typed.given)
    if positional:
        return _values(positional, typed)
    return sorted(tasks.task_names)


def _values(option: str, typed: Typed) -> Sequence[str]:
    """The possible values of an option; none for files and numbers."""
    made = VALUES.get(option)
    if made is None:
        return ()
    known = made(find_project(), typed)
    if option not in LISTS:
        return known
    before, comma, _ = typed.current.rpartition(",")
    taken = set(before.split(","))
    return [f"{before}{comma}{one}" for one in known if one not in taken]


def _profile(typed: Typed) -> str:
    return typed.given.get("profile", PROFILE)


def _profiles(project: Project, typed: Typed) -> Sequence[str]:
    from builder.profile.load import available  # noqa: PLC0415 - each kind reads its own

    return available(project.specs)


def _flavours(project: Project, typed: Typed) -> Sequence[str]:
    from builder.profile.load import load  # noqa: PLC0415

    return list(load(project.specs, _profile(typed)).flavour)


def _bases(project: Project, typed: Typed) -> Sequence[str]:
    from builder.base.model import available  # noqa: PLC0415

    return available(project.bases)


def _components(project: Project, typed: Typed) -> Sequence[str]:
    from builder.profile.load import load  # noqa: PLC0415

    return list(load(project.specs, _profile(typed)).component)


def _sources(project: Project, typed: Typed) -> Sequence[str]:
    from builder.profile.load import load  # noqa: PLC0415

    return list(load(project.specs, _profile(typed)).source)


def _variants(project: Project, typed: Typed) -> Sequence[str]:
    from builder.profile.load import load  # noqa: PLC0415

    sources = load(project.specs, _profile(typed)).source.items()
    return [f"{name}={variant}" for name, source in sources for variant in source.variants]


def _scenarios(project: Project, typed: Typed) -> Sequence[str]:
    from builder.lab.catalogue import available  # noqa: PLC0415

    return available()


def _stages(project: Project, typed: Typed) -> Sequence[str]:
    from builder.commands.listing import stages  # noqa: PLC0415
    from builder.console import Console  # noqa: PLC0415
    from builder.host.paths import find_cache  # noqa: PLC0415
    from builder.place import Place  # noqa: PLC0415
    from builder.stages.request import Request, choose  # noqa: PLC0415

    given = typed.given
    request = Request(_profile(typed), given.get("flavour", ""), given.get("base", ""))
    place = Place(project, find_cache(), Console(quiet=True))
    return [name for name, _ in stages(choose(project, request), place)]


def _kinds(project: Project, typed: Typed) -> Sequence[str]:
    from builder.commands.listing import KINDS  # noqa: PLC0415

    return list(KINDS)


def _shells(project: Project, typed: Typed) -> Sequence[str]:
    return SHELLS


VALUES: dict[str, Callable[[Project, Typed], Sequence[str]]] = {
    "profile": _profiles,
    "flavour": _flavours,
    "base": _bases,
    "only": _components,
    "source": _sources,
    "variant": _variants,
    "scenario": _scenarios,
    "stage": _stages,
    "what": _kinds,
    "print-completion-script": _shells,
}
"""How the values of an option are found."""
LISTS = ("only", "scenario", "variant")
"""Options that take several values, separated by commas."""
