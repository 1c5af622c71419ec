"""Components that are packed by a spec template of the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.kernel import config
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind, StageName
from builder.profile.build import BuildPart
from builder.profile.load import FRAGMENTS
from builder.rpm import spec, tree
from builder.rpm.spec import SpecContext
from builder.stages import patching
from builder.stages.products import TREE, patches_of, source_file
from builder.stages.setting import Setting

CONFIG = "kernel.config"


@dataclass(frozen=True)
class Templated:
    """``specs/<profile>/<component>.spec.j2`` and the files beside it."""

    setting: Setting
    part: BuildPart

    @property
    def needs(self) -> tuple[str, ...]:
        source = self.part.source
        return (StageKind.FETCH.of(source.name), self._prepared) if source else ()

    @property
    def _prepared(self) -> StageName:
        return StageKind.PREP.of(self.part.name)

    @property
    def options(self) -> tuple[str, ...]:
        return ()

    def inputs(self) -> tuple[Input, ...]:
        specs = self.setting.specs
        code = digest.key(self.setting.code.alone("builder.rpm.spec"))
        rendered = self.setting.rendered.digest(specs, self._context(), code)
        found = [Input("spec", rendered)]
        found += digest.files("file", specs, self._extra_files())
        if self.part.configured:
            found.append(Input(f"file:{CONFIG}", digest.of_text(self._configuration())))
        return (*found, *self.setting.code.alone(f"{__name__}:Templated"))

    def spec(self, done: Mapping[str, Done]) -> str:
        used = patches_of(done[self._prepared]) if self.part.source else ()
        return spec.render(self.setting.specs, self._context(used))

    def fill(self, target: Path, done: Mapping[str, Done]) -> None:
        target.mkdir(parents=True, exist_ok=True)
        made: tuple[Path, ...] = ()
        if self.part.source:
            fetched, prepared = (done[stage] for stage in self.needs)
            made = (source_file(fetched), *patches_of(prepared))
        tree.fill_sources(target, (*made, *self._extra_files()))
        if self.part.configured:
            (target / CONFIG).write_text(self._configuration(), encoding="utf-8")

    @property
    def foreseen(self) -> Path | None:
        noprep = self.setting.build.base.settings.noprep
        return Path("prepared") if self.part.source and noprep else None

    def prepared(self, done: Mapping[str, Done]) -> Path | None:
        return done[self._prepared].path / TREE if self.foreseen is not None else None

    def explain(self, log: Path) -> tuple[str, str] | None:
        return None

    def _extra_files(self) -> tuple[Path, ...]:
        """The files of ``specs/<profile>/<component>/``, which become further sources."""
        folder = self.setting.specs / self.part.name
        if not folder.is_dir():
            return ()
        return tuple(sorted(path for path in folder.iterdir() if path.is_file()))

    def _configuration(self) -> str:
        return config.merge(self._fragments())

    def _fragments(self) -> tuple[Path, ...]:
        """The configuration fragments of the flavour, in order."""
        folder = self.setting.specs / FRAGMENTS
        return tuple(folder / name for name in self.setting.build.fragments)

    def _context(self, used: tuple[Path, ...] | None = None) -> SpecContext:
        """The variables of its spec; ``used``: the patches that were applied, all by default."""
        build, part = self.setting.build, self.part
        main = (part.source.file,) if part.source else ()
        extra = [path.name for path in self._extra_files()]
        if part.configured:
            extra = sorted([*extra, CONFIG])
        return SpecContext(
            part=part,
            releases={
                other.package: f"{other.version}-{other.release}" for other in build.parts.values()
            },
            flavour=build.flavour,
            sources=(*main, *extra),
            patches=patching.names(self.setting, part, used),
            changelog=build.changelog,
        )
