"""``repo``, ``vm`` and ``smoke``: from RPMs to a director that proves itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from builder.disk import image as disk_image
from builder.disk import install_proof
from builder.disk.root import RootInputs
from builder.engine import require as require_engine
from builder.host import process
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import RepoFacts, SmokeFacts, VmFacts
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import BUILD_ROOT, GUEST_ROOT, REPO, SMOKE, VM, StageKind
from builder.stages import containers
from builder.stages.image import ReadyImage
from builder.stages.products import RPMS, root_tar, rpms_of, source_rpms_of
from builder.stages.setting import Setting

PROOF = "install-proof.json"
REQUIREMENTS = "requirements.txt"


def _root_inputs(
    setting: Setting, image: str, root: Path, repo: Path, alone: tuple[Path, ...]
) -> RootInputs:
    base = setting.build.base
    return RootInputs(
        image=image,
        root=root,
        repo=repo,
        guest=tuple(base.folder / name for name in base.guest.files),
        alone=alone,
        provides=base.folder / base.guest.provides,
        epoch=setting.build.epoch,
    )


def _guest_only(setting: Setting) -> tuple[str, ...]:
    """The stages whose RPMs are for the guest, and not for operators."""
    parts = setting.build.parts.items()
    return tuple(StageKind.BUILD.of(name) for name, part in parts if part.guest_only)


def _foreseen(setting: Setting) -> RootInputs:
    """The same before any need has run."""
    alone = tuple(Path(stage) for stage in _guest_only(setting))
    return _root_inputs(setting, "", Path("root.tar"), Path("repo"), alone)


def _found(
    setting: Setting, needs: Mapping[str, Done], repo: Path, image: ReadyImage
) -> RootInputs:
    alone = tuple(needs[stage].path / RPMS for stage in _guest_only(setting))
    root = root_tar(needs[GUEST_ROOT])
    return _root_inputs(setting, image(needs[BUILD_ROOT]), root, repo, alone)


def published(setting: Setting, needs: Mapping[str, Done]) -> tuple[Path, ...]:
    """The RPMs that operators get."""
    names = [name for name, part in setting.build.parts.items() if not part.guest_only]
    return tuple(path for name in names for path in rpms_of(needs[StageKind.BUILD.of(name)]))


def repo_stage(setting: Setting, image: ReadyImage) -> Stage:
    """The yum repository, what it requires of the target, and the proof that it installs."""
    builds = tuple(StageKind.BUILD.of(name) for name in setting.build.parts)
    target_file = setting.specs / setting.build.target

    def inputs() -> tuple[Input, ...]:
        return (
            *digest.files("target", setting.specs, [target_file]),
            Input("profile", setting.build.profile),
            *containers.inputs(setting, install_proof.container(_foreseen(setting), Path("work"))),
            *setting.code.of(f"{__name__}:repo_stage"),
        )

    def run(work: Work) -> None:
        from builder.rpm import capabilities, repository  # noqa: PLC0415 - only a run pays for it

        built = [work.needs[name] for name in builds]
        made = repository.make(
            work.output,
            setting.build.profile,
            published(setting, work.needs),
            tuple(path for done in built for path in source_rpms_of(done)),
            setting.build.epoch,
        )
        target = capabilities.load_target(target_file)
        findings = capabilities.hold(target, capabilities.requirements(made.packages))
        (work.output / REQUIREMENTS).write_text(
            "".join(
                f"{one.requirement.rpm}: {one.requirement} -> {one.met_by or 'nobody'}\n"
                for one in findings
            ),
            encoding="utf-8",
        )
        capabilities.demand(target, findings)
        proof = install_proof.prove(
            _found(setting, work.needs, work.output, image),
            scratch=work.scratch,
            log=work.log,
            run=partial(containers.run_container, setting, work.scratch),
        )
        (work.output / PROOF).write_bytes(msgspec.json.format(msgspec.json.encode(proof)))
        work.note(RepoFacts(len(proof.packages)))

    needs = (*builds, BUILD_ROOT, GUEST_ROOT)
    return Stage(REPO, needs, inputs, run, by_content=True, check=require_engine)


def vm_stage(setting: Setting, image: ReadyImage) -> Stage:
    """The bootable disk image."""

    def inputs() -> tuple[Input, ...]:
        foreseen, install = _foreseen(setting), setting.build.install
        return (
            *containers.inputs(setting, disk_image.container(foreseen, install, Path("work"))),
            Input("kept", " ".join(disk_image.FILES)),
        )

    def run(work: Work) -> None:
        made = disk_image.make(
            _found(setting, work.needs, work.needs[REPO].path, image),
            setting.build.install,
            scratch=work.scratch,
            log=work.log,
            run=partial(containers.run_container, setting, work.scratch),
        )
        for name in disk_image.FILES:
            shutil.move(made.folder / name, work.output / name)
        work.note(VmFacts(made.release))

    return Stage(
        VM, (REPO, *_guest_only(setting), BUILD_ROOT, GUEST_ROOT), inputs, run, check=require_engine
    )


def smoke_stage(setting: Setting) -> Stage:
    """The verdict of the image that was booted."""

    def inputs() -> tuple[Input, ...]:
        code = setting.code.of(f"{__name__}:smoke_stage")
        return (Input("init", setting.build.init), *code)

    def run(work: Work) -> None:
        from builder.smoke import proof  # noqa: PLC0415
        from builder.stages.accelerator import accelerator  # noqa: PLC0415 - only a run pays for it

        made = disk_image.read(work.needs[VM].path)
        way = accelerator(setting.cache, work.scratch / "probe", made.folder / "vmlinuz")
        work.log.write_text(f"{way.kind}: {way.why}\n", encoding="utf-8")
        report = proof.prove(
            made.image,
            kernel_release=made.release,
            accelerator=way,
            scratch=work.scratch,
            console=setting.console,
            log_dir=work.output,
            init=setting.build.init,
        )
        work.note(SmokeFacts(round(report.seconds, 1), report.accelerator))

    def check() -> None:
        from builder.smoke import payload, proof  # noqa: PLC0415 - only a run pays for it

        payload.load(setting.build.init)  # refuses an unknown one
        for name in proof.PROGRAMS:
            process.require_tool(name)

    return Stage(SMOKE, (VM,), inputs, run, check=check)
