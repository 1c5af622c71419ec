"""Components that are packed by their vendor's own spec, amended as the profile says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.errors import VerificationError
from builder.host import buildlog
from builder.kernel import vendor
from builder.kernel.vendor import Amendment
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind, StageName
from builder.profile.build import BuildPart
from builder.rpm import tree
from builder.source.model import Source
from builder.stages import patching
from builder.stages.products import TREE, patches_of
from builder.stages.setting import Setting

# Red Hat's kernels merge files of these names.
CONFIGURATIONS = "config-*"


@dataclass(frozen=True)
class Vendored:
    """The unpacked source RPM: spec and sources side by side.

    %prep is run, since it does more than patching (the kernel's merges configurations);
    the stage ``prep:X`` has tried the patches before.
    """

    setting: Setting
    part: BuildPart
    source: Source
    amendment: Amendment

    @property
    def needs(self) -> tuple[str, ...]:
        return (self._unpacked, self._prepared)

    @property
    def options(self) -> tuple[str, ...]:
        return vendor.rpmbuild_options(self.amendment)

    def inputs(self) -> tuple[Input, ...]:
        words = msgspec.json.encode(self.amendment)
        names = patching.names(self.setting, self.part)
        return (
            Input("vendor", digest.of_text(words.decode())),
            Input("patches", " ".join(names)),
            *self.setting.code.alone(f"{__name__}:Vendored", "builder.stages.patching:names"),
            *self.setting.code.of("builder.kernel.vendor"),
        )

    def spec(self, done: Mapping[str, Done]) -> str:
        used = patches_of(done[self._prepared])
        names = patching.names(self.setting, self.part, used)
        text = self._text(done, self.amendment.spec)
        return vendor.amend_spec(text, self.amendment, names)

    def fill(self, target: Path, done: Mapping[str, Done]) -> None:
        target.mkdir(parents=True, exist_ok=True)
        amended = self.amendment.config
        apart = {self.amendment.spec, *amended}
        files = [path for path in self._folder(done).iterdir() if path.name not in apart]
        tree.fill_sources(target, (*sorted(files), *patches_of(done[self._prepared])))
        for name, text in self.amended(done).items():
            (target / name).write_text(text, vendor.ENCODING, vendor.ERRORS)

    @property
    def foreseen(self) -> Path | None:
        return None

    def prepared(self, done: Mapping[str, Done]) -> Path | None:
        return None

    def explain(self, log: Path) -> tuple[str, str] | None:
        unset = vendor.unset_symbols(buildlog.read_tail(log))
        return vendor.explain_unset(unset) if unset else None

    def amended(self, done: Mapping[str, Done]) -> dict[str, str]:
        """The configuration files that are amended, by name."""
        return {
            name: vendor.amend_config(self._text(done, name), wanted, name)
            for name, wanted in self.amendment.config.items()
        }

    def configurations(self, done: Mapping[str, Done]) -> dict[str, str]:
        """All configuration files as the build will have them, by name."""
        there = sorted(path.name for path in self._folder(done).glob(CONFIGURATIONS))
        return {name: self._text(done, name) for name in there} | self.amended(done)

    @property
    def _prepared(self) -> StageName:
        return StageKind.PREP.of(self.part.name)

    @property
    def _unpacked(self) -> StageName:
        return StageKind.UNPACK.of(self.source.name)

    def _folder(self, done: Mapping[str, Done]) -> Path:
        return done[self._unpacked].path / TREE

    def _text(self, done: Mapping[str, Done], name: str) -> str:
        path = self._folder(done) / name
        if not path.is_file():
            raise VerificationError(
                f"the source RPM of {self.part.name} has no {name}",
                f"it has: {', '.join(sorted(one.name for one in self._folder(done).iterdir()))}",
                "is it the release that the profile names?",
            )
        return path.read_text(vendor.ENCODING, vendor.ERRORS)
