"""GNU patch: how it is run and what its words mean.

Messages: src/patch.c, src/pch.c, src/inp.c of GNU patch 2.7.6.  It runs with ``--verbose``, so that
it must answer each file and each hunk of a patch with a line of its own.  A missing, surplus or
unknown answer is an error and never taken for success.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import PatchError
from builder.host import process
from builder.patch.series import Patch
from builder.shown import printable

PLAIN = {"LC_ALL": "C", "LANGUAGE": "C"}
TIMEOUT = 600.0

HUNK = re.compile(
    r"Hunk #(?P<number>\d+) (?P<verb>succeeded|FAILED|ignored) at (?P<line>-?\d+)"
    r"(?: with fuzz (?P<fuzz>\d+))?(?: \(offset (?P<offset>-?\d+) lines?\))?"
    r"(?: \(different line endings\))?\.$"
)
FILE = re.compile(r"patching file (?P<name>.*?)(?: \((?:already )?(?:renamed|copied) from .*\))?$")
INTRODUCTION = re.compile(
    r"^ *(Looks like|The next patch looks like|Ignoring the trailing garbage)"
)
MISORDERED = "misordered hunks!"
PROBLEMS = tuple(
    re.compile(pattern)
    for pattern in (
        r"can't find file to patch at input line \d+",
        r"The next patch would (create|delete|empty out) the file .*,",
        r"File .* is not a regular file -- refusing to patch",
        r"Not deleting file .* as content differs from patch",
        r"Invalid file name .* -- skipping patch",
        r"Cannot (rename|copy) file without two valid file names",
        r"Reversed \(or previously applied\) patch detected!  Skipping patch\.",
        r"The next patch, when reversed, would .*",
    )
)
NOISE = tuple(
    re.compile(pattern)
    for pattern in (
        r"Perhaps you used the wrong -p or --strip option\?",
        r"The text leading up to this was:",
        r"-+",
        r"\|.*",
        r"No file to patch\.  Skipping patch\.",
        r"which (already exists|does not exist|is already empty)!  Skipping patch\.",
        r"Using Plan [AB]\.\.\.",
        r"\d+ out of \d+ hunks? (ignored|FAILED)",
        r"(Removing|Creating|Renaming) file .*",
        r"Removed empty directory .*",
        r"File .* is read-only; trying to patch anyway",
        r"Good\.  This file appears to be the .* version\.",
        r"done",
        r"",
    )
)


@dataclass(frozen=True)
class HunkAnswer:
    """What the tool said of one hunk; ``verb``: succeeded, FAILED or ignored."""

    number: int
    verb: str
    line: int
    offset: int
    fuzz: int


@dataclass
class FileAnswer:
    """What the tool said of one file; ``name`` is empty if it did not patch any."""

    name: str = ""
    problems: list[str] = field(default_factory=list)
    hunks: list[HunkAnswer] = field(default_factory=list)


def run(patch: Patch, text: Path, folder: Path, max_fuzz: int) -> tuple[FileAnswer, ...]:
    """Apply ``patch`` to the files in ``folder``, as far as it goes; ``text`` holds its data.

    Returns one answer for each of the patch's files, in its order.  Raises PatchError if the tool
    fails or its output is not understood, EnvironmentFailure if it is missing.
    """
    tool = process.require_tool("patch")
    # POSIXLY_CORRECT, even empty, changes how patch picks files; env takes it away.
    done = process.run(
        [
            *("env", "-u", "POSIXLY_CORRECT", tool, "-p1"),
            *("--forward", "--batch", "--unified", "--binary", "--verbose", "--get=0"),
            *("--no-backup-if-mismatch", "--reject-file=-", "--quoting-style=literal"),
            *(f"--fuzz={max_fuzz}", f"--directory={folder}", f"--input={text.absolute()}"),
        ],
        env=PLAIN,
        timeout=TIMEOUT,
    )
    if done.status not in (0, 1):
        raise PatchError(
            f"{patch.name}: the patch tool failed (status {done.status})",
            done.complaint,
            f"see whether `patch -p1 --dry-run < {patch.path}` does the same by hand",
        )
    answers = tuple(_read(patch, done.stdout.decode(errors="surrogateescape")))
    _hold_against(patch, answers, done)
    return answers


def _unclear(patch: Patch, reason: str) -> PatchError:
    if reason.startswith(MISORDERED):
        return PatchError(
            f"{patch.name}: hunks are out of order",
            f"GNU patch: {reason}",
            "sort the hunks of each file by their lines, or make the patch anew with "
            "`git format-patch` or `quilt refresh`",
        )
    return PatchError(
        f"{patch.name}: the patch tool's answer is not understood",
        printable(reason),
        "GNU patch 2.7 is needed (see `patch --version`); a patch that names a file in an"
        " unusual way can also cause this",
    )


def _read(patch: Patch, text: str) -> Iterator[FileAnswer]:
    current: FileAnswer | None = None
    for line in text.split("\n"):
        words = line
        if line.startswith("Hmm..."):
            words = line.removeprefix("Hmm...")
            if "Ignoring the trailing garbage" in words:
                continue
            if current is not None:
                yield current
            current = FileAnswer()
            if INTRODUCTION.match(words):
                continue
        if not _take(current, words) and not any(noise.fullmatch(words) for noise in NOISE):
            raise _unclear(patch, words)
    if current is not None:
        yield current


def _take(answer: FileAnswer | None, words: str) -> bool:
    """Whether the line said something of a file, which is then noted in ``answer``."""
    if answer is None:
        return False
    found = HUNK.fullmatch(words)
    if found is not None:
        number, line = int(found["number"]), int(found["line"])
        offset, fuzz = int(found["offset"] or 0), int(found["fuzz"] or 0)
        answer.hunks.append(HunkAnswer(number, found["verb"], line, offset, fuzz))
        return True
    if any(problem.fullmatch(words) for problem in PROBLEMS):
        answer.problems.append(words.rstrip(","))
        return True
    named = FILE.fullmatch(words)
    if named is not None:
        answer.name = named["name"]
        return True
    return False


def _hold_against(patch: Patch, answers: tuple[FileAnswer, ...], done: process.Finished) -> None:
    """Each file and hunk that we read in the patch must have been answered, and no other."""
    if len(answers) != len(patch.files):
        raise _unclear(patch, f"it saw {len(answers)} files, the patch has {len(patch.files)}")
    trouble = False
    for file, answer in zip(patch.files, answers, strict=True):
        if answer.name not in ("", *file.paths):
            raise _unclear(patch, f"it patched {answer.name}, the patch is for {file.path}")
        if not answer.name and not answer.problems:
            raise _unclear(patch, f"it said nothing of {file.path}")
        numbers = [hunk.number for hunk in answer.hunks]
        skipped = bool(answer.problems) and not numbers
        if not skipped and numbers != list(range(1, len(file.hunks) + 1)):
            raise _unclear(
                patch, f"{file.path}: it saw hunks {numbers}, the patch has {len(file.hunks)}"
            )
        bad_hunk = any(hunk.verb != "succeeded" for hunk in answer.hunks)
        trouble = trouble or bad_hunk or bool(answer.problems)
    if trouble != (done.status == 1):
        raise _unclear(patch, f"its exit status {done.status} does not fit what it said")
