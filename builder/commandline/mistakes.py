"""Errors for a command line that cannot be parsed, with the word that was meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from invoke.exceptions import ParseError
from invoke.parser.context import ParserContext

from builder import names
from builder.commandline.vocabulary import CHOICES
from builder.errors import UsageError
from builder.host.paths import project_around

_DRY = ("--dry", "-R")
_UNKNOWN = re.compile(r"^No idea what '(.*)' is!$", re.DOTALL)
_LACKING = re.compile(r"^'(.*)' did not receive required positional arguments: (.*)$")
_VALUELESS = re.compile(r"^Flag <Argument: ([^ >]+).*> needed value and was not given one!$")


@dataclass(frozen=True)
class Spoken:
    """The command line: its words, all tasks' names, their options, the program's own options."""

    words: Sequence[str]
    tasks: tuple[str, ...]
    contexts: Sequence[ParserContext]
    program: ParserContext

    def explained(self, error: ParseError | ValueError) -> UsageError:
        """The error in words for people."""
        context = error.context if isinstance(error, ParseError) else None
        task = context.name if context is not None and context.name else ""
        said = str(error)
        unknown, lacking, valueless = (
            pattern.match(said) for pattern in (_UNKNOWN, _LACKING, _VALUELESS)
        )
        if unknown and unknown[1].startswith("-"):
            return self._unknown_option(unknown[1], task)
        if unknown:
            return self._unknown_task(unknown[1])
        hint = f"invoke {task} --help" if task else "invoke --list"
        if lacking:
            return _lacking(lacking[1], lacking[2].replace("'", ""))
        if valueless:
            return UsageError(f"option --{valueless[1]} needs a value", "no value was given", hint)
        return UsageError("the command line cannot be understood", said, hint)

    def _unknown_task(self, word: str) -> UsageError:
        before = next((one for one in self.words if one in self.tasks), "")
        if word in _profiles():
            return UsageError(
                f"there is no task {names.shown(word)}",
                f"{word} is a profile, which an option names",
                f"invoke {before or 'build'} --profile {word}",
            )
        return UsageError(
            f"there is no task {names.shown(word)}{names.nearest(word, self.tasks)}",
            f"tasks: {', '.join(self.tasks)}",
            "invoke --list",
        )

    def _unknown_option(self, word: str, task: str) -> UsageError:
        option = word.partition("=")[0]
        if option in _DRY:
            return UsageError(
                f"there is no option {option}; did you mean '--dry-run'?",
                "tasks do not run through Invoke, so its dry run would run everything",
                "invoke build --dry-run (it says what would run, why, and about how long)",
            )
        contexts = [one for one in self.contexts if one.name == task]
        known = [flag for one in contexts or [self.program] for flag in one.flags]
        owner = f"task {task} has" if task else "there is"
        return UsageError(
            f"{owner} no option {names.shown(option)}{names.nearest(option, known)}",
            f"options: {', '.join(sorted(flag for flag in known if flag.startswith('--')))}",
            f"invoke {task} --help" if task else "invoke --list",
        )


def _lacking(task: str, missing: str) -> UsageError:
    cause, hint = CHOICES.get(missing, ("nothing was given for it", f"invoke {task} --help"))
    return UsageError(f"task {task} needs a {missing}", cause, hint)


def _profiles() -> tuple[str, ...]:
    from builder.profile.load import available  # noqa: PLC0415 - only for errors

    project = project_around()
    return () if project is None else available(project.specs)
