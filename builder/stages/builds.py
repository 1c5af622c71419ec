"""``build:X``: a component's prepared tree becomes RPMs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.kernel import config
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.ledger import Ledger
from builder.pipeline.stage import Done, Stage, Work
from builder.profile.model import Component
from builder.rpm import build, spec
from builder.stages import patching
from builder.stages.containers import run_container
from builder.stages.image import BUILD_STAGE, ReadyImage
from builder.stages.patching import TREE
from builder.stages.setting import Setting
from builder.stages.sources import patches_of, source_file

RPMS = "rpms"
SRPMS = "srpms"
CONFIG_FOLDER = "kernel-config"
CONFIG = "kernel.config"


def extra_files(setting: Setting, name: str) -> tuple[Path, ...]:
    """The files of ``specs/<profile>/<component>/``, which become further sources."""
    folder = setting.specs / name
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.is_file()))


def fragments(setting: Setting) -> tuple[Path, ...]:
    """The configuration fragments of the flavour, in order."""
    folder = setting.specs / CONFIG_FOLDER
    return tuple(folder / name for name in setting.flavour.fragments)


def spec_context(setting: Setting, name: str, component: Component) -> spec.SpecContext:
    """What the spec template of a component is rendered with."""
    main = (setting.profile.source[component.source].file,) if component.source else ()
    extra = [path.name for path in extra_files(setting, name)]
    if component.configured:
        extra = sorted([*extra, CONFIG])
    return spec.SpecContext(
        component=component,
        name=name,
        release=setting.release(component),
        releases={
            other.package: f"{other.version}-{setting.release(other)}"
            for other in setting.profile.component.values()
        },
        flavour=setting.flavour_name,
        sources=(*main, *extra),
        patches=patching.names(setting, name, component),
        settings={**component.settings, **component.in_base(setting.base).settings},
        changelog=setting.profile.changelog,
    )


def _own_inputs(setting: Setting, name: str, component: Component) -> tuple[Input, ...]:
    rendered = spec.render(setting.specs, spec_context(setting, name, component))
    inputs = [Input("spec", digest.of_text(rendered))]
    inputs += digest.files("file", setting.specs, extra_files(setting, name))
    if component.configured:
        inputs += digest.files("config", setting.specs, fragments(setting))
        inputs += setting.recipe("kernel")
    inputs.append(Input("recipe", build.RECIPE))
    inputs += setting.recipe("rpm/tree.py", "rpm/container/rpmbuild.sh")
    return tuple(inputs)


def source_stages(name: str, component: Component) -> tuple[str, ...]:
    """The stages that ``fill`` takes from."""
    return (f"fetch:{component.source}", f"prep:{name}") if component.source else ()


def fill(
    setting: Setting, name: str, component: Component, target: Path, done: Mapping[str, Done]
) -> None:
    """Everything that belongs into the component's SOURCES folder; its source and patches
    come from ``done``, which has the stages of ``source_stages``."""
    target.mkdir(parents=True, exist_ok=True)
    made: tuple[Path, ...] = ()
    if component.source:
        fetched, prepared = (done[stage] for stage in source_stages(name, component))
        made = (source_file(fetched), *patches_of(prepared))
    build.fill_sources(target, (*made, *extra_files(setting, name)))
    if component.configured:
        (target / CONFIG).write_text(config.merge(fragments(setting)))


def build_stage(
    setting: Setting, name: str, component: Component, ledger: Ledger, image: ReadyImage
) -> Stage:
    """The RPMs and the source RPM of one component."""
    stage_name = f"build:{name}"
    sources = source_stages(name, component)
    needs = tuple(f"build:{need}" for need in component.needs)

    def run(work: Work) -> None:
        fill(setting, name, component, work.scratch / "sources", work.needs)
        last = ledger.last(stage_name)
        plan = build.BuildPlan(
            component=component,
            image=image(work.needs[BUILD_STAGE]),
            spec=spec.render(setting.specs, spec_context(setting, name, component)),
            sources=work.scratch / "sources",
            prepared=_tree(work.needs[sources[1]]) if sources else None,
            ccache=_folder(setting.cache.ccache),
            needs={need: work.needs[f"build:{need}"].path / RPMS for need in component.needs},
            jobs=setting.jobs(),
            expected=int(last.facts["objects"]) if last and "objects" in last.facts else None,
        )
        built = build.build(
            plan,
            scratch=work.scratch,
            log=work.log,
            run=lambda container, log, see: run_container(
                setting, work.scratch, container, log, see
            ),
            console=setting.console,
        )
        _keep(built.binary, work.output / RPMS)
        _keep(built.source, work.output / SRPMS)
        work.note("objects", str(built.objects))

    return Stage(
        stage_name,
        (*sources, *needs, BUILD_STAGE),
        lambda: _own_inputs(setting, name, component),
        run,
    )


def _tree(done: Done) -> Path:
    return done.path / TREE


def _folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _keep(files: tuple[Path, ...], target: Path) -> None:
    target.mkdir()
    for path in files:
        path.rename(target / path.name)


def rpms_of(done: Done) -> tuple[Path, ...]:
    """The binary RPMs that a build stage put out."""
    return tuple(sorted((done.path / RPMS).glob("*.rpm")))


def source_rpms_of(done: Done) -> tuple[Path, ...]:
    return tuple(sorted((done.path / SRPMS).glob("*.src.rpm")))
