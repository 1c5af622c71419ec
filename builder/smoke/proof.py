"""Boot a director image and have it prove itself."""

from __future__ import annotations

from pathlib import Path

from builder.console import Console
from builder.errors import SmokeError, UsageError
from builder.smoke import payload, report
from builder.smoke.channel import PORT, Transcript
from builder.smoke.report import SmokeReport, Timing
from builder.values import Init
from builder.vm import machine, sandbox
from builder.vm.hardware import Accelerator, Disk, Hardware, Kernel
from builder.vm.machine import End, MachineRun, TimeLimits

# Programs of the host, checked before anything starts.
PROGRAMS = ("setpriv", "qemu-system-x86_64", "mke2fs")
CONSOLE_LOG = "console.log"
REPORT = "smoke.json"
LIMITS = {
    "kvm": TimeLimits(total=90.0, silence=30.0),
    "tcg": TimeLimits(total=300.0, silence=120.0),
}
HINT = "read the console's log; `invoke smoke` boots the image again"


def prove(
    image: Path,
    *,
    kernel_release: str,
    accelerator: Accelerator,
    scratch: Path,
    console: Console,
    log_dir: Path,
    kernel: Kernel | None = None,
    limits: TimeLimits | None = None,
    init: Init = "systemd",
) -> SmokeReport:
    """Boot ``image`` (never written to) and return what its self-test reports.

    ``kernel``: boot it directly instead of by the image's own boot loader.  ``scratch``: a
    folder for the payload disk.  ``init``: what the image starts first.  ``log_dir`` gets
    ``console.log`` and ``smoke.json``, the latter also for a guest that reported failing checks.
    Raises SmokeError if the guest does anything but report success and end as agreed,
    EnvironmentFailure if QEMU does not run.
    """
    if not image.is_file():
        raise UsageError(f"there is no image {image}", "", "build it first: invoke vm")
    scratch.mkdir(parents=True, exist_ok=True)
    log_dir.mkdir(parents=True, exist_ok=True)
    (log_dir / REPORT).unlink(missing_ok=True)
    test = payload.load(init)
    disk = payload.make(scratch / "selftest.img", kernel_release, test)
    hardware = Hardware(
        accelerator,
        (
            Disk(image, "qcow2" if _is_qcow2(image) else "raw", "director"),
            Disk(disk, "raw", payload.SERIAL, read_only=True),
        ),
        kernel=kernel,
        cpus=test.cpus,
        port=PORT,
    )
    console.say(f"booting {image.name}{accelerator.remark}")
    console.detail(f"{accelerator.kind.upper()}: {accelerator.why}")
    if warning := sandbox.warning():
        console.warn(warning)
    limits = limits or LIMITS[accelerator.kind]
    transcript, run = _boot(hardware, limits, console, log_dir, len(test.checks))
    machine.require_started(run)
    result = assemble(transcript, kernel_release, accelerator, run)
    if transcript.verdict is not None:
        report.save(result, log_dir / REPORT)
    judge(transcript, run, result, test.checks)
    for check in result.unsupported:
        console.say(f"smoke: unsupported: {check.check}: {check.detail}")
    console.say(f"smoke test passed: {result.summary} in {result.seconds:.1f} s")
    return result


def _boot(
    hardware: Hardware, limits: TimeLimits, console: Console, log_dir: Path, checks: int
) -> tuple[Transcript, MachineRun]:
    """What the guest said, to its end, and how the machine ended."""
    transcript = Transcript()
    with console.progress("smoke", checks, "checks") as progress:

        def hear(data: bytes, now: float) -> None:
            before = len(transcript.checks)
            transcript.feed(data, now)
            progress.advance(len(transcript.checks) - before)

        run = machine.boot(hardware, limits, console=log_dir / CONSOLE_LOG, hear=hear)
    transcript.close()
    return transcript, run


def _is_qcow2(image: Path) -> bool:
    with image.open("rb") as stream:
        return stream.read(4) == b"QFI\xfb"


def assemble(
    transcript: Transcript, kernel_release: str, accelerator: Accelerator, run: MachineRun
) -> SmokeReport:
    """The report's value from all that is known about a run."""
    begun, last = transcript.started_at, transcript.verdict_at
    uptime = transcript.start.uptime if transcript.start else 0.0
    kernel = transcript.start.kernel_us / 1e6 if transcript.start else 0.0
    timing = Timing(
        firmware=round(max(0.0, begun - uptime), 3),
        kernel=round(kernel, 3),
        userspace=round(max(0.0, uptime - kernel), 3),
        checks=round(max(0.0, last - begun), 3),
    )
    passed = transcript.verdict is not None and transcript.verdict.verdict == "pass"
    return SmokeReport(
        verdict="pass" if passed and run.end is End.AGREED else "fail",
        kernel_release=kernel_release,
        accelerator=accelerator.kind,
        accelerator_reason=accelerator.why,
        seconds=round(last or run.seconds, 3),
        timing=timing,
        checks=tuple(transcript.checks),
    )


def judge(
    transcript: Transcript, run: MachineRun, result: SmokeReport, checks: frozenset[str]
) -> None:
    """Raise SmokeError unless everything is as it must be."""
    failures = [f"{check.check}: {check.detail}" for check in result.failures]
    if run.end is End.PANIC:
        raise _error("the guest's kernel panicked", run.detail, failures, run)
    if run.end in (End.SILENT, End.TIMEOUT, End.RESET, End.STATUS):
        raise _error(f"the guest {_DID[run.end]}", run.detail, failures, run)
    problem = transcript.problem(checks)
    if failures:
        raise _error(f"{len(failures)} smoke checks failed", problem, failures, run)
    if problem:
        raise _error("the smoke test did not run correctly", problem, failures, run)
    if run.end is not End.AGREED:
        raise _error("the guest ended with an unexpected status", run.detail, failures, run)
    if result.verdict != "pass":
        raise _error("the guest says that it failed, but no check did", "", failures, run)
    running = [check.detail for check in result.checks if check.check == "kernel.release"]
    if running not in ([], [result.kernel_release]):
        raise _error("the running kernel is not the one that was built", running[0], failures, run)


_DID = {
    End.SILENT: "fell silent",
    End.TIMEOUT: "gave no verdict before the timeout",
    End.RESET: "reset itself",
    End.STATUS: "ended with an unexpected status",
}


def _error(what: str, detail: str, failures: list[str], run: MachineRun) -> SmokeError:
    console = machine.tail(run.console)
    shown = f"the console's last lines:\n{console}" if console else "the console stayed empty"
    if run.end not in (End.AGREED, End.PANIC) and not detail:
        detail = run.end.value
    cause = "\n".join(part for part in (detail, *failures, shown) if part)
    return SmokeError(what, cause, HINT, log=run.console)
