"""An image that does not prove itself fails, with the console's last lines and no remains."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import SmokeError, UsageError
from builder.host import children
from builder.smoke import proof
from builder.smoke.report import SmokeReport
from builder.vm.hardware import AGREED, Accelerator
from builder.vm.machine import TimeLimits
from tests.support.vm import guests

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
RELEASE = "6.1.192-1.lvs.x86_64"


def run_smoke(folder: Path, disk: bytes) -> SmokeReport:
    image = folder / "director.img"
    image.write_bytes(disk)
    try:
        return proof.prove(
            image,
            kernel_release=RELEASE,
            accelerator=TCG,
            scratch=folder / "scratch",
            console=Console(io.StringIO(), interactive=False),
            log_dir=folder / "logs",
            limits=TimeLimits(total=9.0, silence=5.0),
        )
    finally:
        assert not children.children(), "a process was left behind"


@pytest.mark.parametrize(
    ("disk", "what"),
    [
        (guests.prints_panic(), "panicked"),
        (guests.reports_panic(), "panicked"),
        (guests.hangs(), "fell silent"),
        (guests.chatters(), "gave no verdict before the timeout"),
        (guests.powers_off(), "did not run correctly"),
        (guests.resets(), "reset itself"),
        (guests.leaves_with(AGREED), "did not run correctly"),
        (guests.leaves_with(0x10), "ended with an unexpected status"),
        (bytes(1 << 20), "fell silent"),
    ],
)
def test_a_guest_without_a_proof_fails(tmp_path: Path, disk: bytes, what: str) -> None:
    with pytest.raises(SmokeError) as caught:
        run_smoke(tmp_path, disk)
    assert what in caught.value.what
    assert caught.value.exit_code == 8
    assert caught.value.log == tmp_path / "logs" / proof.CONSOLE_LOG
    assert "console" in caught.value.cause


def test_the_consoles_last_lines_are_shown(tmp_path: Path) -> None:
    with pytest.raises(SmokeError) as caught:
        run_smoke(tmp_path, guests.prints_panic())
    assert "Unable to mount root fs" in caught.value.cause


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image"):
        proof.prove(
            tmp_path / "none",
            kernel_release=RELEASE,
            accelerator=TCG,
            scratch=tmp_path,
            console=Console(io.StringIO(), interactive=False),
            log_dir=tmp_path,
        )
