"""Apply a series to a tree, or check whether it applies.

The work is done on copies of the few files that the series touches.  The tree's files are replaced
only after every hunk of every patch has applied; each is written aside and renamed.  So a tree is
patched in full or not at all, and a pristine tree that has hard links to its files does not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from builder.errors import UsageError
from builder.host import temporary
from builder.patch import judge, scratch, tool
from builder.patch.fuzz import MAX_FUZZ
from builder.patch.report import FileReport, PatchReport, SeriesReport
from builder.patch.series import Patch, Series, touched
from builder.patch.settle import settle
from builder.shown import printable


@dataclass(frozen=True)
class Trial:
    """A series tried on copies: the unchanged ``tree``, and its ``touched`` files after patching.

    ``patched`` holds only the touched files, as far as the series applied; a missing file was
    removed or never existed.  ``patches`` are those that were applied, in the form that was
    applied.
    """

    report: SeriesReport
    tree: Path
    patched: Path
    touched: frozenset[str]
    patches: tuple[Patch, ...] = ()


@contextmanager
def attempt(
    series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ, names: Iterable[str] | None = None
) -> Iterator[Trial]:
    """As ``check``, and the patched files are kept until the block ends."""
    with temporary.folder("patch") as folder:
        files, text = folder / "files", folder / "text"
        files.mkdir()
        scratch.bring(tree, touched(series), files)
        for file in (file for patch in series.patches for file in patch.files):
            scratch.require_place(tree, file.candidates, new=file.is_new)
        bench = _Bench(tree, files, text, max_fuzz, None if names is None else tuple(names))
        reports: list[PatchReport] = []
        settled: list[Patch] = []
        for patch in series.patches:
            if patch.fix is not None and not _is_needed(patch, files):
                reports.append(_left_out(patch))
                continue
            report, used = bench.put(patch)
            failed = any(one.failed for one in reports)
            reports.append(msgspec.structs.replace(report, after_failure=failed))
            settled.append(used)
        scratch.require_same_kinds(tree, touched(series), files)
        yield Trial(SeriesReport(tuple(reports)), tree, files, touched(series), tuple(settled))


def check(
    series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ, names: Iterable[str] | None = None
) -> SeriesReport:
    """How every hunk of ``series`` would apply to ``tree``, which is not changed.

    ``max_fuzz``: context lines at either end of a hunk that need not match.  ``names``: the paths
    of the whole tree, if ``tree`` holds only the touched ones; used to say where a missing file may
    have gone.  Failures are in the report and are not raised (``SeriesReport.require``).  Raises
    VerificationError if a touched path leads out of the tree through a symbolic link, and
    PatchError if the patch tool fails or a file would have to replace a folder.
    """
    with attempt(series, tree, max_fuzz=max_fuzz, names=names) as trial:
        return trial.report


def apply(
    series: Series, tree: Path, *, max_fuzz: int = MAX_FUZZ, keep: Path | None = None
) -> SeriesReport:
    """Apply ``series`` to ``tree`` in place.

    ``keep``: an empty folder that gets the applied patches, in a form with which ``patch -p1``
    makes the same tree.  Raises PatchError with the first failing hunk if the series does not apply
    in full; the tree is then unchanged.  Otherwise as ``check``.
    """
    with attempt(series, tree, max_fuzz=max_fuzz) as trial:
        trial.report.require()
        for name in sorted(trial.touched):
            scratch.publish(trial.patched / name, tree / name, tree)
        if keep is not None:
            for patch in trial.patches:
                (keep / patch.name).write_bytes(patch.data)
        return trial.report


@dataclass(frozen=True)
class _Bench:
    """Where patches are tried: ``files`` are the tree's, ``text`` is the patch as it is used."""

    tree: Path
    files: Path
    text: Path
    max_fuzz: int
    names: tuple[str, ...] | None

    def put(self, patch: Patch) -> tuple[PatchReport, Patch]:
        """Apply one patch as far as it goes; also returns the form in which it was applied."""
        settled, notes = settle(patch, self.files)
        self.text.write_bytes(settled.data)
        overwritten = judge.find_overwritten(settled, self.files)
        answers = tool.run(settled, self.text, self.files, self.max_fuzz)
        files: list[FileReport] = []
        for file, answer, note, given in zip(
            settled.files, answers, notes, patch.files, strict=True
        ):
            told = judge.judge(file, answer, overwritten, self.files)
            told = judge.name_missing(told, self.tree, self.names)
            told = judge.refuse_cut(told, given, file, self.files)
            files.append(_shown(told, note))
        return _report(patch, tuple(files)), replace(settled, path=patch.path)


def _shown(file: FileReport, note: str) -> FileReport:
    """For people and for JSON: names need not be UTF-8."""
    return msgspec.structs.replace(
        file,
        path=printable(file.path),
        origin=None if file.origin is None else printable(file.origin),
        problem=printable(file.problem),
        note=note,
    )


def _report(patch: Patch, files: tuple[FileReport, ...]) -> PatchReport:
    return PatchReport(
        name=patch.name,
        subject=patch.subject,
        files=files,
        path=str(patch.path),
        origin=patch.origin,
        note=patch.note,
        fixes=patch.fix.advice if patch.fix is not None else "",
    )


def _is_needed(patch: Patch, files: Path) -> bool:
    fix = patch.fix
    if fix is None:
        return True
    if all(fix.file not in file.paths for file in patch.files):
        raise UsageError(
            f"{fix.patch} does not touch {fix.file}",
            "the component's fixes in profile.toml say that it fixes a fault there",
            f"it touches {', '.join(path for file in patch.files for path in file.paths)}",
        )
    return fix.is_needed(files)


def _left_out(patch: Patch) -> PatchReport:
    note = patch.fix.left_out if patch.fix is not None else ""
    return PatchReport(patch.name, patch.subject, (), note=note)
