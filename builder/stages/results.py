"""``repo``, ``vm`` and ``smoke``: from RPMs to a director that proves itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from builder.disk import image as disk_image
from builder.disk.root import RootInputs
from builder.engine import require as require_engine
from builder.host import process
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import RepoFacts, SmokeFacts, VmFacts
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import BUILD_ROOT, GUEST_ROOT, REPO, SMOKE, VM, StageKind
from builder.rpm import install_proof
from builder.stages.builds import rpms_of, source_rpms_of
from builder.stages.containers import run_container
from builder.stages.image import ReadyImage, root_tar
from builder.stages.setting import Setting

PROOF = "install-proof.json"
REQUIREMENTS = "requirements.txt"


def _root_inputs(
    setting: Setting, needs: Mapping[str, Done], repo: Path, image: ReadyImage
) -> RootInputs:
    guest = setting.build.base.guest
    return RootInputs(
        image=image(needs[BUILD_ROOT]),
        root=root_tar(needs[GUEST_ROOT]),
        repo=repo,
        guest=tuple(setting.build.base.folder / name for name in guest.files),
        provides=setting.build.base.folder / guest.provides,
        epoch=setting.build.epoch,
    )


def _guest_inputs(setting: Setting) -> tuple[Input, ...]:
    folder, guest = setting.build.base.folder, setting.build.base.guest
    names = (*guest.files, guest.provides)
    return digest.files("guest", folder, [folder / name for name in names])


def repo_stage(setting: Setting, image: ReadyImage) -> Stage:
    """The yum repository, what it requires of its host, and the proof that it installs."""
    builds = tuple(StageKind.BUILD.of(name) for name in setting.build.parts)
    host_file = setting.specs / setting.build.host

    def inputs() -> tuple[Input, ...]:
        return (
            *digest.files("host", setting.specs, [host_file]),
            *_guest_inputs(setting),
            *setting.recipe(
                "archive/rpm.py",
                "rpm/repository.py",
                "rpm/capabilities.py",
                "rpm/install_proof.py",
                "disk/root.py",
                "disk/container/root.sh",
                "disk/container/prove-install.sh",
            ),
        )

    def run(work: Work) -> None:
        from builder.rpm import capabilities, repository  # noqa: PLC0415 - only a run pays for it

        built = [work.needs[name] for name in builds]
        made = repository.make(
            work.output,
            setting.build.profile,
            tuple(path for done in built for path in rpms_of(done)),
            tuple(path for done in built for path in source_rpms_of(done)),
            setting.build.epoch,
        )
        host = capabilities.load_host(host_file)
        findings = capabilities.hold(host, capabilities.requirements(made.packages))
        (work.output / REQUIREMENTS).write_text(
            "".join(
                f"{one.requirement.rpm}: {one.requirement} -> {one.met_by or 'nobody'}\n"
                for one in findings
            ),
            encoding="utf-8",
        )
        capabilities.demand(host, findings)
        proof = install_proof.prove(
            _root_inputs(setting, work.needs, work.output, image),
            scratch=work.scratch,
            log=work.log,
            run=lambda spec, log: run_container(setting, work.scratch, spec, log),
        )
        (work.output / PROOF).write_bytes(msgspec.json.format(msgspec.json.encode(proof)))
        work.note(RepoFacts(len(proof.packages)))

    return Stage(REPO, (*builds, BUILD_ROOT, GUEST_ROOT), inputs, run, check=require_engine)


def vm_stage(setting: Setting, image: ReadyImage) -> Stage:
    """The bootable disk image."""

    def inputs() -> tuple[Input, ...]:
        return (
            Input("install", " ".join(setting.build.install)),
            *_guest_inputs(setting),
            *setting.recipe(
                "disk/image.py",
                "disk/root.py",
                "disk/container/root.sh",
                "disk/container/make-disk.sh",
            ),
        )

    def run(work: Work) -> None:
        made = disk_image.make(
            _root_inputs(setting, work.needs, work.needs[REPO].path, image),
            setting.build.install,
            scratch=work.scratch,
            log=work.log,
            run=lambda spec, log: run_container(setting, work.scratch, spec, log),
        )
        for name in disk_image.FILES:
            shutil.move(made.folder / name, work.output / name)
        work.note(VmFacts(made.release))

    return Stage(VM, (REPO, BUILD_ROOT, GUEST_ROOT), inputs, run, check=require_engine)


def smoke_stage(setting: Setting) -> Stage:
    """The verdict of the image that was booted."""

    def inputs() -> tuple[Input, ...]:
        return (Input("selftest", setting.build.selftest), *setting.recipe("vm"))

    def run(work: Work) -> None:
        from builder.stages.accelerator import accelerator  # noqa: PLC0415 - only a run pays for it
        from builder.vm import smoke as vm_smoke  # noqa: PLC0415

        made = disk_image.read(work.needs[VM].path)
        report = vm_smoke.smoke(
            made.image,
            kernel_release=made.release,
            accelerator=accelerator(setting.cache, work.scratch / "probe", made.folder / "vmlinuz"),
            scratch=work.scratch,
            console=setting.console,
            log_dir=work.output,
            selftest=setting.build.selftest,
        )
        work.note(SmokeFacts(round(report.seconds, 1), report.accelerator))

    def check() -> None:
        from builder.vm import payload  # noqa: PLC0415 - only a run pays for it
        from builder.vm import smoke as vm_smoke  # noqa: PLC0415

        payload.load(setting.build.selftest)  # refuses an unknown one
        for name in vm_smoke.PROGRAMS:
            process.require_tool(name)

    return Stage(SMOKE, (VM,), inputs, run, check=check)
