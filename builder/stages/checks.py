"""``checks``: what must hold in the patched trees together, before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from builder.errors import UsageError
from builder.kernel import vendor
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import CHECKS, StageKind, StageName
from builder.profile.build import Build, BuildPart
from builder.stages import patching
from builder.stages import wanted as wanted_symbols
from builder.stages.products import TREE, pristine_stage
from builder.stages.setting import Setting
from builder.stages.vendored import Vendored

REPORT = "layouts.json"


def checked(build: Build) -> frozenset[str]:
    """The components that are built only if the checks pass."""
    copies = {copy.component for check in build.layout for copy in check.copies}
    kernels = {part.name for part in build.parts.values() if part.is_kernel and part.source}
    return frozenset(copies | kernels)


def checks_stage(setting: Setting) -> Stage:
    """Layouts of structures agree, every new configuration symbol has a line, all wanted exist."""
    build = setting.build
    parts = [build.parts[name] for name in sorted(checked(build))]
    needs = [need for part in parts for need in _needs(part)]

    def inputs() -> tuple[Input, ...]:
        layouts = msgspec.json.encode(build.layout).decode()
        wanted = [part.vendor.config for part in parts if part.vendor]
        files = wanted_symbols.fragments(setting) if any(one.configured for one in parts) else ()
        return (
            Input("layouts", digest.of_text(layouts)),
            Input("configuration", digest.of_text(msgspec.json.encode(wanted).decode())),
            *digest.files("fragment", setting.specs, files),
            *setting.code.of(f"{__name__}:checks_stage"),
        )

    def run(work: Work) -> None:
        from builder.forensics import findings  # noqa: PLC0415 - only a run pays for them
        from builder.forensics.view import TreeView  # noqa: PLC0415

        for part in parts:
            tree = work.needs[StageKind.PREP.of(part.name)].path / TREE
            wanted_symbols.require_known(setting, part, tree)
            if part.vendor is not None and part.source is not None:
                _require_lines(Vendored(setting, part, part.source, part.vendor), work.needs)
        readers: dict[str, Callable[[str], str | None]] = {
            part.name: TreeView(work.needs[StageKind.PREP.of(part.name)].path / TREE).read
            for part in parts
        }
        reports = findings.hold_together(build.layout, readers)
        (work.output / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(reports)))
        lines = [line for report in reports for line in report.lines()]
        work.log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for report in reports:
            report.require()

    return Stage(CHECKS, tuple(dict.fromkeys(needs)), inputs, run, by_content=True)


def _needs(part: BuildPart) -> tuple[StageName, ...]:
    prepared = StageKind.PREP.of(part.name)
    if part.vendor is None or part.source is None:
        return (prepared,)
    unpacked = StageKind.UNPACK.of(part.source.name)
    return (prepared, unpacked, pristine_stage(part, part.source), *patching.needs(part))


def _require_lines(packed: Vendored, done: Mapping[str, Done]) -> None:
    """Every symbol that the patches add must have a value; %prep would ask for it, much later."""
    from builder.forensics import kconfig  # noqa: PLC0415
    from builder.forensics.view import TreeView  # noqa: PLC0415
    from builder.patch.series import touched  # noqa: PLC0415

    part = packed.part
    series = patching.collect(packed.setting, part, done)
    pristine, patched = (
        TreeView(done[stage].path / TREE)
        for stage in (pristine_stage(part, packed.source), StageKind.PREP.of(part.name))
    )
    asked = kconfig.compare(pristine, patched, touched(series)).questions
    missing = vendor.symbols_without_line(
        [f"CONFIG_{symbol}" for symbol in asked], packed.configurations(done)
    )
    if missing:
        cause, hint = vendor.explain_unset(missing)
        raise UsageError(f"the configuration of {part.name} is not complete", cause, hint)
