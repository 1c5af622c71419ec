"""Put a series on a tree, or see whether it would go.

The work is done on copies of the few files that the series touches.  Only when every hunk
of every patch has found its place are the tree's files replaced, each written aside and
renamed: a tree is patched in full or not at all, and files that are hard links into a
pristine tree leave that one as it was.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from builder.errors import PatchError, VerificationError
from builder.host import temporary
from builder.patch import tool
from builder.patch.diff import Hunk, PatchedFile
from builder.patch.report import FileReport, HunkReport, Outcome, PatchReport, Report
from builder.patch.series import Patch, Series, touched

MAX_FUZZ = 2
LOOKALIKES = 5
MISSING = "the file is missing"
GONE = "already applied: the file that the patch deletes does not exist"


@dataclass(frozen=True)
class Trial:
    """A series tried on copies: ``tree`` as it is, and what its ``touched`` files become.

    ``patched`` holds the touched files alone, as far as the series went; one that is not
    there has been removed, or never was.
    """

    report: Report
    tree: Path
    patched: Path
    touched: frozenset[str]


@contextmanager
def attempt(
    series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ, names: Iterable[str] | None = None
) -> Iterator[Trial]:
    """``check``, with the patched files to look at until the block ends."""
    with temporary.folder("patch") as scratch:
        report = _attempt(series, tree, scratch, max_fuzz, names)
        yield Trial(report, tree, scratch, touched(series))


def check(
    series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ, names: Iterable[str] | None = None
) -> Report:
    """How every hunk of ``series`` would fare on ``tree``, which is left alone.

    ``max_fuzz``: context lines at either end of a hunk that need not match.  ``names``: the
    paths of the whole tree, if ``tree`` holds only the touched ones; used to say where a
    missing file may have gone.  The report tells failures, it does not raise them
    (``Report.require``); raises VerificationError if a touched path leads out of the tree
    through a symbolic link, PatchError if the patch tool breaks down.
    """
    with attempt(series, tree, max_fuzz=max_fuzz, names=names) as trial:
        return trial.report


def apply(series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ) -> Report:
    """Put ``series`` on ``tree`` in place.

    Raises PatchError with the first failing hunk if it does not apply in full; the tree is
    then as it was.  Otherwise as ``check``.
    """
    with temporary.folder("patch") as scratch:
        report = _attempt(series, tree, scratch, max_fuzz, None)
        report.require()
        for name in sorted(touched(series)):
            _publish(scratch / name, tree / name, tree)
        return report


def _attempt(
    series: Series, tree: Path, scratch: Path, max_fuzz: int, names: Iterable[str] | None
) -> Report:
    for name in sorted(touched(series)):
        _copy(tree, name, scratch)
    reports: list[PatchReport] = []
    for patch in series.patches:
        overwritten = _find_overwritten(patch, scratch)
        answers = tool.run(patch, scratch, max_fuzz)
        files = tuple(
            _judge(file, answer, overwritten.get(file.path, ""), scratch)
            for file, answer in zip(patch.files, answers, strict=True)
        )
        files = tuple(_name_missing(file, tree, names) for file in files)
        failed = any(report.failed for report in reports)
        reports.append(PatchReport(patch.name, patch.subject, files, failed))
    return Report(tuple(reports))


def _copy(tree: Path, name: str, scratch: Path) -> None:
    """Bring one file into ``scratch``; what is no regular file comes as a folder.

    patch(1) refuses to patch a folder in so many words, which is the answer wanted for
    devices, pipes and real folders.
    """
    parts = PurePosixPath(name).parts
    for depth in range(1, len(parts) + 1):
        here = tree.joinpath(*parts[:depth])
        if here.is_symlink():
            raise _refuse_link(tree, here, name)
        if depth < len(parts) and here.exists() and not here.is_dir():
            raise PatchError(
                f"{name} cannot be patched",
                f"{here.relative_to(tree)} is a file in this tree, the patch needs a folder there",
                "check that the patch is for this source version",
            )
    source, target = tree / name, scratch / name
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copyfile(source, target)
        target.chmod(stat.S_IMODE(source.stat().st_mode) | stat.S_IWUSR | stat.S_IRUSR)
    else:
        target.mkdir()


def _refuse_link(tree: Path, link: Path, name: str) -> VerificationError | PatchError:
    goal = link.resolve()
    where = link.relative_to(tree)
    if not goal.is_relative_to(tree.resolve()):
        return VerificationError(
            f"a patch for {name} would leave the tree",
            f"{where} is a symbolic link to {link.readlink()}, outside of it",
            "the source is not what the patch is for, or is hostile; do not patch it",
        )
    return PatchError(
        f"{name} cannot be patched",
        f"{where} is a symbolic link to {link.readlink()}",
        f"make the patch for the file itself: {goal.relative_to(tree.resolve())}",
    )


def _find_overwritten(patch: Patch, scratch: Path) -> dict[str, str]:
    """What is wrong with renames and copies whose target exists, by target.

    patch(1) would replace such a file in silence.
    """
    gone = {file.origin or file.path for file in patch.files if _takes_away(file)}
    found: dict[str, str] = {}
    for file in patch.files:
        if file.origin is None or file.path in gone or not (scratch / file.path).exists():
            continue
        if (scratch / file.origin).exists():
            found[file.path] = f"{file.path} exists already, {file.origin} cannot take its name"
        else:
            found[file.path] = f"already applied: {file.origin} has become {file.path}"
    return found


def _takes_away(file: PatchedFile) -> bool:
    return file.is_deleted or (file.origin is not None and not file.is_copy)


def _judge(
    file: PatchedFile, answer: tool.FileAnswer, overwritten: str, scratch: Path
) -> FileReport:
    skipped = bool(answer.problems)
    content = _content(scratch / file.path)
    hunks = tuple(_judge_hunks(file, answer, content))
    if overwritten:
        problem = overwritten
    elif skipped and content is None:
        problem = GONE if file.is_deleted else MISSING
    elif skipped and file.is_new and content == b"".join(hunk.after for hunk in file.hunks):
        problem = "already applied: the file that the patch makes exists with the same content"
    else:
        problem = next((text for text in map(_translate, answer.problems) if text), "")
    return FileReport(file.path, _action(file), hunks, problem, file.origin)


def _translate(problem: str) -> str:
    """The tool's words, except where they need the next line or the hunks tell better."""
    if problem.startswith("Reversed (or previously applied)"):
        return ""
    if problem.startswith("The next patch would create"):
        return "the file that the patch makes exists already, with other content"
    return problem


def _judge_hunks(
    file: PatchedFile, answer: tool.FileAnswer, content: bytes | None
) -> Iterator[HunkReport]:
    told = {hunk.number: hunk for hunk in answer.hunks}
    for number, hunk in enumerate(file.hunks, 1):
        said = told.get(number)
        if said is not None and said.verb == "succeeded":
            kind = Outcome.FUZZ if said.fuzz else Outcome.OFFSET if said.offset else Outcome.CLEAN
            yield HunkReport(hunk.header, kind, said.line, said.offset, said.fuzz)
            continue
        kind = Outcome.APPLIED if _is_applied(file, hunk, content) else Outcome.REJECTED
        line, text = said.line if said else hunk.start, hunk.text.decode(errors="replace")
        reason = "" if kind is Outcome.APPLIED else _mistaken_line_ends(hunk, content)
        yield HunkReport(hunk.header, kind, line, text=text, reason=reason)


def _mistaken_line_ends(hunk: Hunk, content: bytes | None) -> str:
    """Why a hunk that would fit but for its line ends does not; empty if they are not it."""
    if not content or (b"\r\n" in content) == (b"\r\n" in hunk.before):
        return ""
    plain = content.replace(b"\r\n", b"\n")
    if b"\n" + hunk.before.replace(b"\r\n", b"\n") not in b"\n" + plain:
        return ""
    if b"\r\n" in content:
        return "the file has CRLF line ends, the patch has not; but for these the hunk fits"
    return "the patch has CRLF line ends, the file has not; but for these the hunk fits"


def _is_applied(file: PatchedFile, hunk: Hunk, content: bytes | None) -> bool:
    if content is None:
        return file.is_deleted
    if file.is_deleted:
        return False
    if file.is_new:
        return content == hunk.after
    return bool(hunk.after) and b"\n" + hunk.after in b"\n" + content


def _content(path: Path) -> bytes | None:
    """The file's bytes; None if it does not exist; nothing if it is no regular file."""
    if not path.exists():
        return None
    return path.read_bytes() if path.is_file() else b""


def _name_missing(file: FileReport, tree: Path, names: Iterable[str] | None) -> FileReport:
    """Say which file was expected, and where one of that name is."""
    if file.problem != MISSING:
        return file
    wanted = file.origin or file.path
    base = PurePosixPath(wanted).name
    present = _walk(tree) if names is None else names
    found = sorted(name for name in present if PurePosixPath(name).name == base and name != wanted)
    text = f"it expects the file {wanted}, which is not there"
    if found:
        more = f" and {len(found) - LOOKALIKES} more" if len(found) > LOOKALIKES else ""
        text += f"; of that name there is {', '.join(found[:LOOKALIKES])}{more}"
    return msgspec.structs.replace(file, problem=text)


def _walk(tree: Path) -> Iterator[str]:
    for folder, _, files in os.walk(tree):
        for name in files:
            yield str((Path(folder) / name).relative_to(tree))


def _action(file: PatchedFile) -> str:
    if file.origin is not None:
        return "copy" if file.is_copy else "rename"
    if file.is_new:
        return "new"
    if file.is_deleted:
        return "delete"
    return "change" if file.hunks else "mode"


def _publish(made: Path, target: Path, tree: Path) -> None:
    """Give the tree's file the state of its patched copy, if they differ."""
    if not made.is_file():
        if target.exists():
            target.unlink()
            _remove_empty_folders(target.parent, tree)
        return
    mode = _mode(made, target)
    if target.exists():
        same_mode = stat.S_IMODE(target.stat().st_mode) == mode
        if same_mode and made.read_bytes() == target.read_bytes():
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".patched-", dir=target.parent)
    os.close(descriptor)
    aside = Path(name)
    try:
        shutil.copyfile(made, aside)
        aside.chmod(mode)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _mode(made: Path, target: Path) -> int:
    """What git would give: as it was, unless the patch makes it executable or no longer so.

    New files get 0644 or 0755 whatever the umask, so that trees come out alike everywhere.
    """
    runs = bool(stat.S_IMODE(made.stat().st_mode) & stat.S_IXUSR)
    if target.exists():
        before = stat.S_IMODE(target.stat().st_mode)
        if bool(before & stat.S_IXUSR) == runs:
            return before
    return 0o755 if runs else 0o644


def _remove_empty_folders(folder: Path, tree: Path) -> None:
    """As patch(1) does after it has removed the last file."""
    while folder != tree and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
