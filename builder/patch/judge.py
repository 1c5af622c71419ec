"""What the tool's answers mean for each file and hunk of a patch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from builder.patch import hunk as hunks
from builder.patch import tool
from builder.patch.diff import PatchedFile
from builder.patch.hunk import Hunk
from builder.patch.report import FileReport, HunkOutcome, HunkReport
from builder.patch.series import Patch

LOOKALIKES = 5
MISSING = "the file is missing"
GONE = "already applied: the file that the patch deletes does not exist"


def find_overwritten(patch: Patch, scratch: Path) -> dict[str, str]:
    """What is wrong with renames and copies whose target exists, by target.

    patch(1) would silently replace such a file.
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


def judge(
    file: PatchedFile, answer: tool.FileAnswer, overwritten: dict[str, str], scratch: Path
) -> FileReport:
    """The result for one file of a patch; ``scratch`` is as the tool has left it."""
    path = _chosen(file, answer, scratch)
    skipped = bool(answer.problems)
    content = _content(scratch / path)
    told = tuple(_judge_hunks(file, answer, content))
    if path in overwritten:
        problem = overwritten[path]
    elif skipped and content is None:
        problem = GONE if file.is_deleted else MISSING
    elif skipped and file.is_new and content == b"".join(hunk.after for hunk in file.hunks):
        problem = "already applied: the file that the patch makes exists with the same content"
    else:
        problem = next((text for text in map(_translate, answer.problems) if text), "")
    return FileReport(path, _action(file), told, problem, file.origin)


def _chosen(file: PatchedFile, answer: tool.FileAnswer, scratch: Path) -> str:
    """The name that the tool chose, or would have."""
    if answer.name:
        return answer.name
    present = (name for name in file.candidates if (scratch / name).exists())
    return file.path if file.origin else next(present, file.path)


def _translate(problem: str) -> str:
    """The tool's words, unless they need the next line or the hunks say more."""
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
            kind = (
                HunkOutcome.FUZZ
                if said.fuzz
                else HunkOutcome.OFFSET
                if said.offset
                else HunkOutcome.CLEAN
            )
            yield HunkReport(hunk.header, kind, said.line, said.offset, said.fuzz)
            continue
        kind = HunkOutcome.APPLIED if _is_applied(file, hunk, content) else HunkOutcome.REJECTED
        line, text = said.line if said else hunk.start, hunk.text.decode(errors="replace")
        reason = "" if kind is HunkOutcome.APPLIED else _mistaken_line_ends(hunk, content)
        yield HunkReport(hunk.header, kind, line, text=text, reason=reason)


def _mistaken_line_ends(hunk: Hunk, content: bytes | None) -> str:
    """Why line ends keep a hunk from fitting; empty if they are not the reason."""
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
    """The file's bytes; None if it does not exist; nothing if it is not a regular file."""
    if not path.exists():
        return None
    return path.read_bytes() if path.is_file() else b""


def _action(file: PatchedFile) -> str:
    if file.origin is not None:
        return "copy" if file.is_copy else "rename"
    if file.is_new:
        return "new"
    if file.is_deleted:
        return "delete"
    return "change" if file.hunks else "mode"


def refuse_cut(
    told: FileReport, given: PatchedFile, used: PatchedFile, scratch: Path
) -> FileReport:
    """Refuse fuzz in the last lines of a patch file that may be truncated.

    ``given``: the file's part of the patch as it is; ``used``: with the missing lines.
    """
    if not told.hunks or not given.hunks[-1].doubtful:
        return told
    last = told.hunks[-1]
    content = _content(scratch / told.path)
    if last.outcome is not HunkOutcome.FUZZ and not given.hunks[-1].chopped:
        return told
    if last.outcome.failed or _ends_alike(used.hunks[-1], last.line, given, content or b""):
        return told
    text = given.hunks[-1].text.decode(errors="replace")
    cut = HunkReport(last.header, HunkOutcome.REJECTED, last.line, text=text, reason=hunks.CUT)
    return msgspec.structs.replace(told, hunks=(*told.hunks[:-1], cut))


def _ends_alike(hunk: Hunk, line: int, given: PatchedFile, content: bytes) -> bool:
    """Whether the patched file has the hunk's last lines, and not lines that fuzz ignored."""
    after = hunk.after.removesuffix(b"\n").split(b"\n")
    end = line - 1 + len(after)
    count = given.hunks[-1].doubtful
    return content.split(b"\n")[end - count : end] == after[-count:]


def name_missing(file: FileReport, tree: Path, names: Iterable[str] | None) -> FileReport:
    """Say which file was expected, and where one of that name is.

    ``names``: the paths of the whole tree, if ``tree`` does not hold all.
    """
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
