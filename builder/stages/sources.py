"""``fetch:X`` fetches a source; ``unpack:X``, ``inner:X`` and ``prep:X`` make its trees."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.digest import of_bytes, of_file, write_hook
from builder.errors import BuilderError, PatchError
from builder.host.listing import Listing
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import FetchFacts, InnerFacts, UnpackFacts
from builder.pipeline.stage import Damaged, Done, Stage, Work
from builder.pipeline.stagename import StageKind
from builder.profile.build import BuildPart
from builder.source import accepted, dropin
from builder.source.accepted import Acceptance
from builder.source.expected import Expected
from builder.source.known import require_sizes, valid_pins
from builder.source.model import Fetched, Source
from builder.source.pins import SourcesLock
from builder.stages import patching
from builder.stages.products import PATCHES, TREE, pristine_stage, source_file
from builder.stages.setting import Setting

if TYPE_CHECKING:
    from builder.patch.series import Series

REPORT = "patches.json"
LOCK = "sources.lock"


def sources_lock(setting: Setting) -> SourcesLock:
    """The profile's ``sources.lock``."""
    return SourcesLock(setting.specs / LOCK)


def expected(setting: Setting, source: Source) -> Expected:
    """What the profile's components look for in a source, and whether a kernel is made of it."""
    members: set[str] = set(source.members)
    kernel = False
    for part in setting.build.parts.values():
        patches = {patch.file for patch in part.patches if patch.source == source.name}
        own = part.source is not None and part.source.name == source.name
        kernel |= part.is_kernel and (own or bool(patches))
        members |= patches | (part.looked_for if own else set())
    return Expected(frozenset(members), kernel)


def acceptances(setting: Setting) -> dict[str, Acceptance]:
    """What the operator alone accepts, by the sources' names."""
    build = setting.build
    return accepted.read(setting.project, build.profile, frozenset(build.sources))


def fetch_stage(
    setting: Setting,
    source: Source,
    lock: SourcesLock,
    *,
    update: bool = False,
    acceptance: Acceptance | None = None,
) -> Stage:
    """The source's file under its own name, verified."""
    narrowed = acceptance.narrow(source) if acceptance is not None else source

    def inputs() -> tuple[Input, ...]:
        if not update:
            require_sizes(lock, setting.cache, source.name)
        pins = valid_pins(narrowed, lock)
        known = dropin.known_digests(narrowed, lock)
        # Without a digest, nothing shows whether the earlier file is still the wanted one.
        unknown = () if known else (Input("pin", f"none at {time.time_ns()}"),)
        brought = None if update else dropin.require(narrowed, setting.project, lock, acceptance)
        keys = acceptance.keys(setting.project) if acceptance is not None else ()
        return (
            Input("source", of_bytes(msgspec.json.encode(narrowed, enc_hook=write_hook))),
            *digest.files(
                "key", setting.specs, (setting.specs / one.key for one in source.signed_by)
            ),
            *(Input(f"accepted key {one.fingerprint}", of_file(one.path)) for one in keys),
            *(Input(f"pin:{variant}", pin.sha256) for variant, pin in sorted(pins.items())),
            *((Input("drop-in", brought),) if brought else ()),
            *unknown,
            *setting.code.of(f"{__name__}:fetch_stage"),
        )

    def run(work: Work) -> None:
        from builder.source.fetch import fetch  # noqa: PLC0415 - only a run pays for it

        fetched = fetch(
            source,
            cache=setting.cache,
            project=setting.project,
            lock=lock,
            console=setting.console,
            locked=setting.locked,
            update=update,
            stop=work.stop,
            expected=expected(setting, source),
            acceptance=acceptance,
        )
        place = work.output / source.file
        try:
            place.hardlink_to(fetched.path)
        except OSError:
            shutil.copyfile(fetched.path, place)
        place.chmod(0o444)  # the blob's mode, too: a cache may have been copied under umask 077
        work.note(_facts(fetched))

    return Stage(
        StageKind.FETCH.of(source.name), (), inputs, run, slot=False, by_content=True, late=True
    )


def _facts(fetched: Fetched) -> FetchFacts:
    return FetchFacts(
        url=fetched.url,
        sha256=fetched.sha256,
        version=fetched.version or "",
        variant=fetched.variant,
        verified=fetched.verified,
    )


def unpack_stage(setting: Setting, source: Source) -> Stage:
    """The source's pristine tree: a tar's without its top folder, an RPM's files side by side."""
    need = StageKind.FETCH.of(source.name)
    parts = setting.build.parts.values()
    # Files of these trees have another name in a patched one, which builds write to.
    linked = StageKind.UNPACK.of(source.name) in {
        pristine_stage(part, part.source) for part in parts if part.source is not None
    }

    def run(work: Work) -> None:
        from builder.archive.unpack import unpack  # noqa: PLC0415 - only a run pays for it

        made = unpack(source_file(work.needs[need]), work.output / TREE, console=setting.console)
        work.note(UnpackFacts(made.files, made.bytes))
        work.state(made.listing.below(TREE))
        protect(work.output / TREE, files=not linked)

    def inputs() -> tuple[Input, ...]:
        return setting.code.of(f"{__name__}:unpack_stage")

    name = StageKind.UNPACK.of(source.name)
    return Stage(name, (need,), inputs, run, listed=False, by_content=True)


def copy_by_links(origin: Path, target: Path) -> None:
    """Copy a tree with hard links to its files; whoever changes one must replace it."""
    shutil.copytree(origin, target, symlinks=True, copy_function=os.link)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)  # a pristine tree's are read-only


def protect(tree: Path, *, files: bool) -> None:
    """Take the permission to write from a finished tree's folders, and from its ``files``.

    An edited file in the cache would differ from every pinned source, so an editor, or ``sed -i``,
    must fail at once.
    """
    for folder, _, names in os.walk(tree):
        for name in names if files else ():
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555)
        Path(folder).chmod(0o555)


def inner_stage(setting: Setting, part: BuildPart, source: Source) -> Stage:
    """The tree of a component that lies in an archive within its source."""
    need = StageKind.UNPACK.of(source.name)

    def inputs() -> tuple[Input, ...]:
        return (
            Input("inside", "\n".join(part.inside)),
            *setting.code.of(f"{__name__}:inner_stage"),
        )

    def run(work: Work) -> None:
        from builder.archive.inner import unpack_inner  # noqa: PLC0415 - only a run pays for it

        made = unpack_inner(
            work.needs[need].path / TREE,
            part.inside,
            work.output / TREE,
            source=source.name,
            console=setting.console,
        )
        work.note(InnerFacts(made.files))
        work.state(made.listing.below(TREE))
        protect(work.output / TREE, files=False)

    name = StageKind.INNER.of(part.name)
    return Stage(name, (need,), inputs, run, listed=False, by_content=True)


def prep_stage(setting: Setting, part: BuildPart, source: Source) -> Stage:
    """The patched tree of a component, its patches, and what became of every hunk."""
    stage_name, need = StageKind.PREP.of(part.name), pristine_stage(part, source)

    def inputs() -> tuple[Input, ...]:
        return (
            Input("fuzz", str(part.fuzz)),
            Input("fixes", digest.of_text(msgspec.json.encode(part.fixes).decode())),
            *patching.inputs(setting, part),
            *setting.code.of(f"{__name__}:prep_stage"),
        )

    def run(work: Work) -> None:
        from builder.patch import apply  # noqa: PLC0415 - only a run pays for it
        from builder.patch.series import touched  # noqa: PLC0415

        series = patching.collect(setting, part, work.needs)
        copy_by_links(work.needs[need].path / TREE, work.output / TREE)
        changing = [f"{TREE}/{path}" for path in sorted(touched(series))]
        before = _known(work.needs[need], work.output, changing)
        kept = work.output / PATCHES
        kept.mkdir()
        try:
            report = apply.apply(series, work.output / TREE, max_fuzz=part.fuzz, keep=kept)
        except PatchError as error:
            _log_failure(error, work, series, part.fuzz)
            raise
        (work.output / REPORT).write_text(report.anywhere().as_json(), encoding="utf-8")
        work.log.write_text("".join(f"{line}\n" for line in report.lines()), encoding="utf-8")
        for line in report.lines() if setting.console.verbose else report.brief():
            setting.console.say(f"{stage_name}: {line}")
        patches = [f"{PATCHES}/{path.name}" for path in sorted(kept.iterdir())]
        work.state(before.renewed(work.output, [*changing, PATCHES, *patches, REPORT]))

    return Stage(
        stage_name,
        tuple(dict.fromkeys((need, *patching.needs(part)))),
        inputs,
        run,
        listed=False,
        by_content=True,
        carries=() if need in patching.needs(part) else (need,),
    )


def _log_failure(error: PatchError, work: Work, series: Series, fuzz: int) -> None:
    """Write what became of every hunk into the stage's log; the error has the first alone."""
    from builder.patch import apply  # noqa: PLC0415 - only for errors

    lines = [error.what, *error.cause.splitlines()]
    with contextlib.suppress(BuilderError):
        lines += ["", *apply.check(series, work.output / TREE, max_fuzz=fuzz).lines()]
    work.log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    error.log = work.log


def _known(pristine: Done, output: Path, names: list[str]) -> Listing:
    """The listing of a stage's output that was linked into ``output``; only ``names`` are read.

    Raises Damaged if one of these has changed.
    """
    known = pristine.listing()
    fault = known.fault(output, names)
    if fault:
        raise Damaged(pristine, fault)
    return known
