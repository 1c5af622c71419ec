"""``checks``: what the patched trees must hold together, before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from builder.errors import UsageError
from builder.kernel import vendor
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import CHECKS, StageKind, StageName
from builder.profile.model import Profile
from builder.stages import patching
from builder.stages.patching import TREE
from builder.stages.setting import Setting
from builder.stages.sources import pristine_stage
from builder.stages.vendored import Vendored

REPORT = "layouts.json"


def checked(profile: Profile) -> frozenset[str]:
    """The components that are built only if the checks pass."""
    copies = {copy.component for check in profile.layout for copy in check.copies}
    vendored = {name for name, component in profile.component.items() if component.vendor}
    return frozenset(copies | vendored)


def checks_stage(setting: Setting) -> Stage:
    """Layouts of structures agree, and every new configuration symbol has a line."""
    profile = setting.profile
    names = sorted(checked(profile))
    needs = [need for name in names for need in _needs(setting, name)]

    def inputs() -> tuple[Input, ...]:
        layouts = msgspec.json.encode(profile.layout).decode()
        components = [profile.component[name] for name in names]
        wanted = [
            vendor.resolve(one.vendor, setting.base, setting.flavour_name).config
            for one in components
            if one.vendor
        ]
        return (
            Input("layouts", digest.of_text(layouts)),
            Input("configuration", digest.of_text(msgspec.json.encode(wanted).decode())),
            *setting.recipe("forensics", "kernel/vendor.py"),
        )

    def run(work: Work) -> None:
        from builder.forensics import findings  # noqa: PLC0415 - only a run pays for them
        from builder.forensics.view import View  # noqa: PLC0415

        for name in names:
            component = profile.component[name]
            if component.vendor is not None:
                _require_lines(Vendored(setting, name, component, component.vendor), work.needs)
        readers: dict[str, Callable[[str], str | None]] = {
            name: View(work.needs[StageKind.PREP.of(name)].path / TREE).read for name in names
        }
        reports = findings.hold_together(profile.layout, readers)
        (work.output / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(reports)))
        lines = [line for report in reports for line in report.lines()]
        work.log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for report in reports:
            report.require()

    return Stage(CHECKS, tuple(dict.fromkeys(needs)), inputs, run)


def _needs(setting: Setting, name: str) -> tuple[StageName, ...]:
    component = setting.profile.component[name]
    if component.vendor is None:
        return (StageKind.PREP.of(name),)
    return (
        StageKind.PREP.of(name),
        StageKind.UNPACK.of(component.source),
        pristine_stage(name, component),
        *patching.needs(setting, component),
    )


def _require_lines(packed: Vendored, done: Mapping[str, Done]) -> None:
    """Every symbol that the patches bring must have a value; %prep would ask, much later."""
    from builder.forensics import kconfig  # noqa: PLC0415
    from builder.forensics.view import View  # noqa: PLC0415
    from builder.patch.series import touched  # noqa: PLC0415

    name, component = packed.name, packed.component
    series = patching.collect(packed.setting, name, component, done)
    pristine, patched = (
        View(done[stage].path / TREE)
        for stage in (pristine_stage(name, component), StageKind.PREP.of(name))
    )
    asked = kconfig.compare(pristine, patched, touched(series)).questions
    missing = vendor.symbols_without_line(
        [f"CONFIG_{symbol}" for symbol in asked], packed.configurations(done)
    )
    if missing:
        cause, hint = vendor.explain_unset(missing)
        raise UsageError(f"the configuration of {name} is not complete", cause, hint)
