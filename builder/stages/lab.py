"""``record:X`` and ``lab:X``: a scenario's machines and traffic, and the verdict on them.

A recording depends on the image and on the scenario, a verdict on the recording and on the oracle:
a change to the oracle or the page boots no machine.
"""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from builder.base.model import load_named
from builder.disk import image as disk_image
from builder.errors import UsageError
from builder.host import process
from builder.lab.scenario import shipped
from builder.lab.series import Fullnat
from builder.lab.subject import Subject
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import LabFacts
from builder.pipeline.lookup import settled
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import VM, StageKind
from builder.pipeline.store import Store
from builder.profile import load as profiles
from builder.profile import references
from builder.profile.build import resolve
from builder.stages.accelerator import accelerator
from builder.stages.products import RPMS
from builder.stages.setting import Setting

if TYPE_CHECKING:
    from builder.lab.hosts.network import Image
    from builder.lab.laboratory import Bench
    from builder.lab.scenario.model import Scenario, Topology
    from builder.vm.hardware import Accelerator

VERDICT = "verdict.json"
RED = "fail"
PROGRAMS = ("setpriv", "qemu-system-x86_64")
# A recording is not judged where it is made; scenario and topology are inputs as values.
JUDGING = frozenset(
    f"builder.lab.{part}" for part in ("catalogue", "judging", "oracle", "page", "scenario.shipped")
)

Stages = Callable[[Setting], Mapping[str, Stage]]


class Companion(msgspec.Struct, frozen=True):
    """The image of the hosts that are not directors: which one, and its finished stage if any."""

    setting: Setting
    done: Done | None

    def require(self) -> Done:
        """Raises UsageError if it was not built."""
        if self.done is None:
            raise not_built(self.setting)
        return self.done


def not_built(setting: Setting) -> UsageError:
    """The error if this flavour has no image in this base, or one from outdated inputs."""
    build = setting.build
    command = f"invoke build --profile {build.profile} --flavour {build.flavour}"
    if build.base.name != build.default_base:
        command += f" --base {build.base.name}"
    return UsageError(
        f"profile {build.profile} has no disk image to try",
        f"flavour {build.flavour} was not built in base {build.base.name}, or what it is "
        "made of has changed since",
        f"build it first: {command}",
    )


def no_series(profile: str) -> UsageError:
    """The error if the lab cannot try the profile."""
    return UsageError(
        f"profile {profile} has no table [lab]",
        "nothing says what its FULLNAT looks like on the wire",
        "see docs/explanation/lab.md",
    )


def lab_stages(setting: Setting, stages: Stages) -> Iterator[Stage]:
    """Both stages of every scenario, if the profile can be tried at all."""
    if setting.build.lab is None:
        return
    benches = Benches(setting, stages)
    for name in shipped.available():
        record = _record_stage(setting, name, benches)
        yield replace(record, guess=_guess(setting.build.lab, name))
        yield _verdict_stage(setting, name)


def _guess(series: Fullnat, name: str) -> Callable[[], float]:
    """The seconds that a scenario takes where it has never run."""

    @functools.cache
    def guess() -> float:
        from builder.lab import catalogue  # noqa: PLC0415 - only a lab pays for it
        from builder.lab.scenario import duration  # noqa: PLC0415

        return 0.0 if name in series.unsupported else duration.seconds(catalogue.load(name)[0])

    return guess


class Benches:
    """What all scenarios of a run have in common, each part found once and when it is needed."""

    def __init__(self, setting: Setting, stages: Stages) -> None:
        self._setting = setting
        self._stages = stages
        self._guard = threading.Lock()
        self._told = False
        self._fence_told = False

    @property
    def series(self) -> Fullnat:
        """The profile's; raises UsageError if it has none."""
        if self._setting.build.lab is None:
            raise no_series(self._setting.build.profile)
        return self._setting.build.lab

    @functools.cached_property
    def companion(self) -> Companion | None:
        """The image of the series' companion: of its default flavour, else of the first built."""
        name = self.series.companion
        if not name:
            return None
        project = self._setting.project
        named = references.companion_of(project, self._setting.build.profile, name)
        profile = profiles.load(project.specs, named)
        base = load_named(project.bases, references.base_of(project, profile), profile.init)
        flavours = dict.fromkeys((profile.default_flavour, *profile.flavour))
        store = Store(self._setting.cache)
        found: list[Companion] = []
        for flavour in flavours:
            other = replace(self._setting, build=resolve(profile, flavour, base))
            found.append(Companion(other, settled(self._stages(other), VM, store)))
            if found[-1].done is not None:
                return found[-1]
        return found[0]

    def check(self) -> None:
        """Raises if this host lacks a program, or the companion was not built."""
        for name in PROGRAMS:
            process.require_tool(name)
        if self.companion is not None:
            self.companion.require()

    def inputs(self) -> tuple[Input, ...]:
        """The companion's image, if there is one."""
        if self.companion is None:
            return ()
        done = self.companion.done
        return (Input("companion", done.key if done is not None else "not built"),)

    def bench(self, vm: Done, built: Mapping[str, Done], scratch: Path, shells: Path) -> Bench:
        """A bench for the image ``vm``; its kernels are among ``built``.

        Raises Damaged if a companion's image is not as it was made.
        """
        from builder.lab.hosts.network import PACES, Images  # noqa: PLC0415 - only a run pays
        from builder.lab.laboratory import Bench  # noqa: PLC0415

        director = image(vm)
        others, told = director, None
        if self.companion is not None:
            done = self.companion.require()
            Store(self._setting.cache).require(done)
            others, told = image(done), subject(self.companion.setting, done, {})
        way = self._way(scratch / "probe", others.kernel)
        return Bench(
            subject(self._setting, vm, built),
            told,
            self.series,
            Images(director, others),
            way,
            PACES[way.kind],
            scratch / "lab",
            shells,
        )

    def _way(self, scratch: Path, kernel: Path) -> Accelerator:
        """KVM or TCG; reports once if it has longer time limits, or if guests are not fenced in."""
        from builder.lab.hosts.network import PACES  # noqa: PLC0415 - only a run pays for it
        from builder.vm import sandbox  # noqa: PLC0415

        with self._guard:
            way = accelerator(self._setting.cache, scratch, kernel)
            if not self._fence_told and (warning := sandbox.warning()):
                self._setting.console.warn(f"lab: {warning}")
            self._fence_told = True
            if way.kind == "tcg" and not self._told:
                self._told = True
                times = PACES["tcg"].boot / PACES["kvm"].boot
                self._setting.console.say(
                    f"lab{way.remark}, so time limits are {times:.0f} times as long"
                )
                self._setting.console.detail(f"lab: {way.why}")
            return way


def kernel_stages(setting: Setting) -> tuple[str, ...]:
    """The stages that build the profile's kernels."""
    parts = setting.build.parts.values()
    return tuple(StageKind.BUILD.of(part.name) for part in parts if part.is_kernel)


def image(vm: Done) -> Image:
    """What a finished ``vm`` stage has put out, for machines to boot."""
    from builder.lab.hosts.network import Image  # noqa: PLC0415 - only a run pays for it

    line = (vm.path / "cmdline").read_text(encoding="utf-8").strip()
    return Image(
        vm.path / disk_image.IMAGE, vm.path / "vmlinuz", vm.path / "initrd.img", f"{line} quiet"
    )


def subject(setting: Setting, vm: Done, built: Mapping[str, Done]) -> Subject:
    """What a verdict on this image is about: its digest and those of its kernels' RPMs."""
    installed = (vm.path / "packages").read_text(encoding="utf-8").split()
    names = {f"{RPMS}/{_file_name(nevra)}" for nevra in installed}
    kernels = (built[stage] for stage in kernel_stages(setting) if stage in built)
    outputs = [entry for done in kernels for entry in done.manifest.outputs]
    return Subject(
        setting.build.profile,
        setting.build.flavour,
        setting.build.base.name,
        next(one.sha256 for one in vm.manifest.outputs if one.path == disk_image.IMAGE),
        disk_image.read(vm.path).release,
        {one.path.removeprefix(f"{RPMS}/"): one.sha256 for one in outputs if one.path in names},
    )


def _file_name(nevra: str) -> str:
    """An installed package's file: name, version, release and architecture without the epoch."""
    name, _, rest = nevra.rpartition(":")
    if name:
        name = name.rpartition("-")[0] + "-"
    return f"{name}{rest}.rpm"


def _record_stage(setting: Setting, name: str, benches: Benches) -> Stage:
    """Captures and all else that a scenario leaves."""

    @functools.cache
    def loaded() -> tuple[Scenario, Topology]:
        from builder.lab import catalogue  # noqa: PLC0415 - only a lab pays for it

        return catalogue.load(name)

    def inputs() -> tuple[Input, ...]:
        scenario, topology = loaded()
        return (
            Input("scenario", digest.of_text(_text(scenario))),
            Input("topology", digest.of_text(_text(topology))),
            Input("series", digest.of_text(_text(setting.build.lab))),
            *benches.inputs(),
            *setting.code.of(f"{__name__}:_record_stage", apart=JUDGING),
        )

    def run(work: Work) -> None:
        from builder.host.paths import shells_folder  # noqa: PLC0415 - only a run pays for it
        from builder.lab import laboratory  # noqa: PLC0415

        scenario, topology = loaded()
        vm, series = work.needs[VM], benches.series
        if name in series.unsupported:
            told = subject(setting, vm, work.needs)
            laboratory.pass_over(scenario, topology, told, series, work.output)
            return
        shells = shells_folder(setting.cache, setting.build.profile)
        bench = benches.bench(vm, work.needs, work.scratch, shells)
        trial = laboratory.LabTrial(scenario, topology, bench, setting.console.say)
        laboratory.record(trial, work.output)

    return Stage(
        StageKind.RECORD.of(name),
        (VM, *kernel_stages(setting)),
        inputs,
        run,
        by_content=True,
        check=benches.check,
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _verdict_stage(setting: Setting, name: str) -> Stage:
    """The recording, what it proves, and the page.  A failed verdict is an output like others."""
    recording = StageKind.RECORD.of(name)

    def inputs() -> tuple[Input, ...]:
        return setting.code.of(f"{__name__}:_verdict_stage")

    def run(work: Work) -> None:
        from builder.lab import judging  # noqa: PLC0415 - only a run pays for it
        from builder.lab.page import lines, proof  # noqa: PLC0415

        shutil.copytree(work.needs[recording].path, work.output, dirs_exist_ok=True)
        judged = judging.judge(work.output)
        proof.write(judged, work.output)
        text = "".join(f"{line}\n" for line in lines.lines(judged.verdict))
        work.log.write_text(text, encoding="utf-8")
        work.note(LabFacts(judged.verdict.outcome))

    return Stage(StageKind.LAB.of(name), (recording,), inputs, run, remark=_remark)


def _remark(done: Done) -> str:
    facts = done.manifest.facts
    if isinstance(facts, LabFacts) and facts.outcome == RED:
        return "; its verdict is red, and the next lab records it anew"
    return ""
