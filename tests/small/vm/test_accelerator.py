"""KVM is used only where a guest really comes up on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import children
from builder.vm import accelerator, probe
from builder.vm.hardware import Accelerator

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
SOURCE = Path(accelerator.__file__).parent / "probe.S"


def test_no_kvm_device_means_tcg_and_says_so(tmp_path: Path) -> None:
    found = accelerator.decide(tmp_path, device=tmp_path / "kvm")
    assert found.kind == "tcg"
    assert "no " in found.why and "kvm" in found.why


def test_the_answer_is_what_a_guest_shows(tmp_path: Path) -> None:
    """Whatever this host has (nothing, a good KVM, one that boots nothing): one clear answer."""
    found = accelerator.decide(tmp_path)
    assert found.why
    assert found.seconds < 13
    if found.kind == "kvm":
        assert accelerator.try_guests(found, tmp_path, None) == ""
    assert not children.children()


def test_a_kvm_that_answers_but_boots_nothing_is_found_out(tmp_path: Path) -> None:
    trial = Accelerator("kvm", "on trial", 0.0)
    if not accelerator.DEVICE.exists():
        pytest.skip("this host has no KVM device at all")
    reason = accelerator.try_guests(trial, tmp_path, None)
    if not reason:
        pytest.skip("this host's KVM works")
    assert reason.startswith("KVM answers, but")


def test_the_probe_itself_comes_up_where_guests_do(tmp_path: Path) -> None:
    assert accelerator.try_guests(TCG, tmp_path, None) == ""


def test_a_kernel_that_is_none_is_not_taken_for_a_working_guest(tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(bytes(4096))
    assert "kernel" in accelerator.try_guests(TCG, tmp_path, kernel)


def test_missing_qemu_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    real = shutil.which

    def nothing(name: str, path: str | None = None) -> str | None:
        return None if name.startswith("qemu") else real(name, path=path)

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(EnvironmentFailure) as caught:
        accelerator.decide(tmp_path)
    assert "qemu-system-x86" in caught.value.hint


def test_the_boot_sector_is_what_its_source_says(tmp_path: Path) -> None:
    if shutil.which("as") is None or shutil.which("objcopy") is None:
        pytest.skip("no assembler on this host")
    made, raw = tmp_path / "probe.o", tmp_path / "probe.bin"
    subprocess.run(["as", "--32", "-o", made, SOURCE], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    assert raw.read_bytes() == probe.boot_sector()[: probe.SECTOR]
