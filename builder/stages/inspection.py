"""Tries the patches of several components on trees that are made for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from builder.errors import VerificationError
from builder.forensics import findings, view
from builder.forensics.findings import ComponentFindings, ProfileFindings
from builder.patch import apply
from builder.patch.series import Series, touched
from builder.pipeline.stage import Damaged
from builder.pipeline.stagename import StageKind
from builder.profile.build import BuildPart
from builder.stages import patching
from builder.stages.products import TREE, pristine_stage
from builder.stages.session import Session


def find_all(session: Session, names: list[str]) -> ProfileFindings:
    """The findings on these components, whose pristine trees are made for it."""
    build = session.setting.build
    components: dict[str, ComponentFindings] = {}
    readers: dict[str, Callable[[str], str | None]] = {}
    with ExitStack() as trials:
        for name in names:
            part = build.parts[name]
            if part.source is None:  # it has no patches
                continue
            source = StageKind.UNPACK.of(part.source.name)
            pristine = pristine_stage(part, part.source)
            needs = patching.needs(part)
            # Files with patches are checked against their digests, as for a build.
            read = {*needs, source} - {pristine}
            done = session.settle(source, pristine, *needs, read=tuple(sorted(read)))
            patches = patching.collect(session.setting, part, done)
            tree = _sound_tree(session, pristine, patches)
            trial = trials.enter_context(apply.attempt(patches, tree, max_fuzz=part.fuzz))
            kabi_list, arch = _kabi_list(part, done[source].path / TREE)
            components[name] = findings.examine(trial, kabi_list, arch)
            readers[name] = view.after(trial).read
        needed = {copy.component for check in build.layout for copy in check.copies}
        absent = tuple(sorted(needed - readers.keys()))
        complete = [
            check
            for check in build.layout
            if all(copy.component in readers for copy in check.copies)
        ]
        # Half patched trees have half a layout.
        failed = any(one.failed for one in components.values())
        layouts = () if failed else findings.hold_together(complete, readers)
        return ProfileFindings(components, layouts, absent)


def _sound_tree(session: Session, pristine: str, patches: Series) -> Path:
    """The tree to try the patches on, made again if a file that they touch has been changed."""
    done = session.settle(pristine)[pristine]
    try:
        names = [f"{TREE}/{path}" for path in sorted(touched(patches))]
        fault = done.listing().fault(done.path, names)
    except Damaged as damaged:
        fault = damaged.fault
    if fault:
        done = session.settle(pristine, read=(pristine,))[pristine]
    return done.path / TREE


def _kabi_list(part: BuildPart, source: Path) -> tuple[Path | None, str]:
    if part.kabi is None:
        return None, ""
    path = source / part.kabi.file
    if not path.is_file():
        raise VerificationError(
            f"the source of {part.package} has no {part.kabi.file}",
            "the profile names it as the list of symbols that keep their CRCs",
            "it is a different release than the profile is for, or the profile is wrong",
        )
    return path, part.kabi.arch
