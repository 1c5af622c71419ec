"""The smoke test of a built image, with a stand-in for QEMU that reports as a guest does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.commands import produce
from builder.console import Console
from builder.errors import EnvironmentFailure, SmokeError, UsageError
from builder.host.removal import remove
from builder.pipeline.stagename import SMOKE
from builder.place import Place
from builder.report import publish, record
from builder.smoke import payload, proof, report
from builder.stages.request import Request
from builder.vm.hardware import AGREED_STATUS, Accelerator
from tests.support.lab import finished
from tests.support.pipeline import known
from tests.support.vm import standin
from tests.support.vm.standin import StandIn

RELEASE = "6.1.1-1.lvs.vm.x86_64"
CHECKS = sorted(payload.load("systemd").checks)


def reporting(*, failed: str = "", lacking: str = "", last: str = "") -> str:
    """A guest that makes all checks, and then does what ``last`` says."""
    lines: list[dict[str, object]] = [{"phase": "start", "uptime": 1.5, "kernel_us": 900000}]
    for name in CHECKS:
        detail = RELEASE if name == "kernel.release" else f"{name} was seen"
        lines.append({"check": name, "ok": name != failed, "detail": detail, "ms": 1})
        if name == lacking:
            lines[-1]["unsupported"] = True
    lines.append({"verdict": "fail" if failed else "pass", "checks": len(CHECKS)})
    said = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    return f"machine.report({said!r})\n{last or f'machine.leave({AGREED_STATUS})'}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The image of lts is built, and guests were found to run emulated here."""
    with finished.emulated(tmp_path_factory.mktemp("site")) as place:
        yield place


@pytest.fixture
def built(site: Place) -> Iterator[Place]:
    yield replace(site, console=Console(io.StringIO(), interactive=False))
    remove(site.project.results, site.project.root)
    remove(site.cache.stages / SMOKE, site.cache.stages)


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return standin.install(tmp_path / "bin", monkeypatch)


def smoke(place: Place) -> str:
    """What is said of it."""
    with known.knowing(place.cache, place.console):
        produce.produce(Request("lts", "vm"), produce.exactly(SMOKE), place)
    assert isinstance(place.console.stream, io.StringIO)
    return place.console.stream.getvalue()


def test_an_image_that_proves_itself_is_published_with_its_report(
    qemu: StandIn, built: Place
) -> None:
    qemu.play(reporting(lacking=CHECKS[0]))
    said = smoke(built)
    assert f"smoke: unsupported: {CHECKS[0]}: " in said
    assert f"smoke test passed: {len(CHECKS) - 1} checks, 1 unsupported in " in said
    assert "FULLNAT, proven packet by packet" in said, "what to do next"
    target = built.project.artifacts("lts")
    made = report.load(target / "smoke" / "smoke.json")
    assert (made.verdict, made.kernel_release, made.accelerator) == ("pass", RELEASE, "tcg")
    assert (made.timing.kernel, made.timing.userspace) == (0.9, 0.6)
    words = qemu.words()
    assert any("readonly=on" in word and "selftest.img" in word for word in words)
    assert any("snapshot=on" in word and "director.qcow2" in word for word in words)
    assert "1 of " in said
    assert "nothing has changed" in smoke(built)


def test_a_failed_check_is_published_with_the_guest_s_console(qemu: StandIn, built: Place) -> None:
    qemu.play(f"machine.console('booting\\n')\n{reporting(failed=CHECKS[1])}")
    with pytest.raises(SmokeError, match=f"1 smoke checks failed: {CHECKS[1]}: ") as caught:
        smoke(built)
    target = built.project.artifacts("lts")
    assert caught.value.log == target / "smoke" / "console.log"
    failed = record.decode((target / publish.RECORD).read_bytes())
    assert failed.failure is not None
    assert (failed.failure.status, failed.failure.log) == (8, "smoke/console.log")


def prove(folder: Path) -> report.SmokeReport:
    """The proof alone, of an image of a few bytes."""
    image = folder / "director.img"
    image.write_bytes(b"few bytes")
    return proof.prove(
        image,
        kernel_release=RELEASE,
        accelerator=Accelerator("tcg", "the tests say so", 0.0),
        scratch=folder / "scratch",
        console=Console(io.StringIO(), interactive=False),
        log_dir=folder / "log",
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("machine.console('Kernel panic - not syncing: no init\\n')", "kernel panicked"),
        (reporting(last="machine.leave(0)"), "ended with an unexpected status"),
        (reporting().partition("\\n")[0] + "')\nmachine.leave(85)", "did not run correctly"),
    ],
    ids=["panic", "status", "half"],
)
def test_a_guest_that_breaks_off_is_told_with_its_last_words(
    qemu: StandIn, tmp_path: Path, part: str, words: str
) -> None:
    qemu.play(f"machine.console('booting\\n')\n{part}")
    with pytest.raises(SmokeError, match=words) as caught:
        prove(tmp_path)
    assert "the console's last lines:\nbooting" in caught.value.cause
    assert caught.value.log == tmp_path / "log" / "console.log"


def test_a_qemu_that_does_not_run_says_nothing_about_the_image(
    qemu: StandIn, tmp_path: Path
) -> None:
    qemu.play("sys.stderr.write('cannot allocate memory\\n')\nmachine.leave(1)")
    with pytest.raises(EnvironmentFailure, match="QEMU did not run the virtual machine") as caught:
        prove(tmp_path)
    assert "cannot allocate memory" in caught.value.cause


def test_an_image_that_is_not_there_is_told(qemu: StandIn, tmp_path: Path) -> None:
    (tmp_path / "director.img").mkdir()
    with pytest.raises(UsageError, match="there is no image"):
        proof.prove(
            tmp_path / "director.img",
            kernel_release=RELEASE,
            accelerator=Accelerator("tcg", "the tests say so", 0.0),
            scratch=tmp_path,
            console=Console(io.StringIO(), interactive=False),
            log_dir=tmp_path,
        )
