"""The small world has the real one's mechanics: it breaks where that would break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import requests

from builder.archive.unpack import unpack
from builder.base.signed import require_signatures
from builder.console import Console
from builder.errors import VerificationError
from builder.kernel import vendor
from builder.kernel.vendor import LineEdit, PatchPlaces, Vendor
from tests.support.el6 import world
from tests.support.el6.signing import Key, throwaway_key
from tests.support.el6.vault import serve
from tests.support.el6.world import DATA, LVS_PATCH, TOA_PATCH, Kernel

pytestmark = [pytest.mark.rpmbuild, pytest.mark.timeout(900)]
PLACES = PatchPlaces(
    tags="# empty final patch file to facilitate testing of kernel patches",
    apply="ApplyOptionalPatch linux-kernel-test.patch",
)
AMENDED = Vendor(
    spec="kernel.spec",
    patches=PLACES,
    replace=(LineEdit("# % define buildid .local", ("%define buildid .lvs",)),),
    config={"config-generic": ("CONFIG_IP_VS_TAB_BITS=20",)},
)
NAMES = {LVS_PATCH: "lvs.patch", TOA_PATCH: "toa.patch"}


@dataclass(frozen=True)
class Tried:
    """What rpmbuild did with SOURCES."""

    ended: subprocess.CompletedProcess[str]
    top: Path

    @property
    def config(self) -> str:
        (path,) = self.top.glob("BUILD/**/linux-*.lvs.x86_64/configs/kernel-2.6.32-x86_64.config")
        return path.read_text()


def attempt(
    folder: Path,
    step: str,
    *patches: str,
    config: tuple[str, ...] = (),
    kernel: Kernel = world.PLAIN,
    options: tuple[str, ...] = (),
) -> Tried:
    """Amend the spec of a new small world and run rpmbuild to ``step`` on this host."""
    sources = world.make_sources(folder, kernel)
    lines = (*AMENDED.config["config-generic"], *config)
    amended = msgspec.structs.replace(AMENDED, config={"config-generic": lines})
    additions = vendor.resolve(amended, "", "")
    for name in patches:
        (sources / name).write_bytes((DATA / NAMES[name]).read_bytes())
    spec = sources / "kernel.spec"
    spec.write_text(vendor.amend_spec(spec.read_text(), additions, patches))
    generic = sources / "config-generic"
    wanted = additions.config["config-generic"]
    generic.write_text(vendor.amend_config(generic.read_text(), wanted, "config-generic"))
    argv = ["rpmbuild", step, "--nodeps", "--target", "x86_64", *options]
    argv += ["--define", f"_topdir {folder}", "--define", "_buildshell /bin/bash"]
    ended = subprocess.run(
        [*argv, str(spec)], capture_output=True, text=True, check=False, env={**os.environ}
    )
    return Tried(ended, folder)


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with throwaway_key("the small world") as key:
        yield key


def test_the_source_rpm_is_signed_and_holds_what_the_real_one_holds(
    tmp_path: Path, key: Key
) -> None:
    srpm = world.make_srpm(tmp_path / "srpm", key=key)
    assert srpm.name == "kernel-2.6.32-220.23.1.el6.src.rpm"
    require_signatures((srpm,), (key.public,), tmp_path)
    listed = subprocess.run(["rpm", "-qpl", srpm], capture_output=True, text=True, check=True)
    assert {
        *("kernel.spec", "linux-2.6.32-220.23.1.el6.tar.bz2", "linux-kernel-test.patch"),
        *("config-generic", "config-generic-rhel", "Makefile.config", "merge.pl"),
        "Module.kabi_x86_64",
    } <= set(listed.stdout.split())


def test_a_source_rpm_without_our_key_is_told_from_one_with_it(tmp_path: Path, key: Key) -> None:
    with pytest.raises(VerificationError, match="no signature"):
        require_signatures((world.make_srpm(tmp_path / "bare"),), (key.public,), tmp_path)
    with throwaway_key("somebody else") as other:
        srpm = world.make_srpm(tmp_path / "other", key=other)
    with pytest.raises(VerificationError, match="NOKEY"):
        require_signatures((srpm,), (key.public,), tmp_path)


def test_prep_passes_plain_and_with_both_patches(tmp_path: Path) -> None:
    plain = attempt(tmp_path / "plain", "-bp")
    assert plain.ended.returncode == 0, plain.ended.stderr
    assert "CONFIG_IP_VS_TAB_BITS=20" in plain.config
    both = attempt(tmp_path / "both", "-bp", LVS_PATCH, TOA_PATCH, config=("CONFIG_TOA=m",))
    assert both.ended.returncode == 0, both.ended.stderr
    assert "CONFIG_TOA=m" in both.config


def test_prep_names_a_symbol_without_a_value_and_fails(tmp_path: Path) -> None:
    tried = attempt(tmp_path / "toa", "-bp", TOA_PATCH)
    assert tried.ended.returncode != 0
    assert vendor.unset_symbols(tried.ended.stderr.splitlines()) == ("CONFIG_TOA",)


def test_only_the_patch_lets_the_table_have_22_bits(tmp_path: Path) -> None:
    wanted = ("CONFIG_IP_VS_TAB_BITS=22",)
    plain = attempt(tmp_path / "plain", "-bp", config=wanted)
    symbols = vendor.unset_symbols(plain.ended.stderr.splitlines())
    assert symbols == ("CONFIG_IP_VS_TAB_BITS",)
    patched = attempt(tmp_path / "patched", "-bp", LVS_PATCH, config=wanted)
    assert patched.ended.returncode == 0, patched.ended.stderr


def test_prep_fails_on_a_patch_for_another_tree(tmp_path: Path) -> None:
    source = (DATA / "linux/net/netfilter/ipvs/ip_vs_conn.c").read_text()
    other = {"net/netfilter/ipvs/ip_vs_conn.c": source.replace("caddr ^ conn->cport", "caddr")}
    tried = attempt(tmp_path / "other", "-bp", LVS_PATCH, kernel=Kernel(tree=other))
    assert tried.ended.returncode != 0
    assert "FAILED" in tried.ended.stdout + tried.ended.stderr


SWITCHES = ("--with", "baseonly", "--with", "firmware", "--without", "debuginfo")


def test_the_spec_builds_all_rpms(tmp_path: Path) -> None:
    options = (*SWITCHES, "--without", "kabichk")
    tried = attempt(tmp_path / "whole", "-bb", LVS_PATCH, options=options)
    assert tried.ended.returncode == 0, tried.ended.stderr
    release = "2.6.32-220.23.1.el6.lvs"
    names = {path.name for path in (tmp_path / "whole/RPMS").rglob("*.rpm")}
    assert names == {
        *(f"{name}-{release}.x86_64.rpm" for name in ("kernel", "kernel-devel", "kernel-headers")),
        f"kernel-firmware-{release}.noarch.rpm",
        f"perf-{release}.x86_64.rpm",
    }
    assert "CC      net/netfilter/ipvs/ip_vs_conn.o" in tried.ended.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The kernel's tree, configured."""
    tree = world.make_tree(tmp_path / "linux")
    (tree / ".config").write_text("CONFIG_IP_VS=m\nCONFIG_IP_VS_TAB_BITS=12\n")
    return tree


def test_the_kabi_check_sees_the_patch(tree: Path) -> None:
    (tree / "listed").write_text(world.kabi_list(tree))
    check = ("sh", str(DATA / "kernel" / "check-kabi"), "listed", "Module.symvers")
    assert run(tree, "make", "-s", "modules").returncode == 0
    assert run(tree, *check).returncode == 0
    assert run(tree, "patch", "-p1", "-s", "-i", str(DATA / "lvs.patch")).returncode == 0
    assert run(tree, "make", "-s", "modules").returncode == 0
    told = run(tree, *check)
    assert told.returncode != 0
    assert "register_ip_vs_scheduler" in told.stderr


def test_the_makefile_can_be_told_to_fail(tree: Path) -> None:
    (tree / "fail-at").write_text("modules\n")
    assert run(tree, "make", "bzImage").returncode == 0
    told = run(tree, "make", "modules")
    assert told.returncode != 0
    assert "error: told to fail" in told.stderr


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_tools_are_built_in_order_and_with_the_kernels_headers(tmp_path: Path) -> None:
    tools, kernel = world.make_tools(tmp_path), tmp_path / "kernel"
    (kernel / "include/net").mkdir(parents=True)
    (kernel / "include/net/ip_vs.h").touch()
    early = run(tools / "ipvsadm", "make")
    assert early.returncode != 0
    assert "libipvs.a" in early.stderr
    told = run(tools / "keepalived", "./configure", "--with-kernel-dir=/nowhere")
    assert (told.returncode, "Framework       : No" in told.stdout) == (0, True)
    run(tools / "keepalived", "./configure", f"--with-kernel-dir={kernel}")
    assert "IPVS_SUPPORT='_WITH_LVS_'" in (tools / "keepalived/config.log").read_text()
    for name in ("keepalived", "ipvsadm"):
        made = run(tools / name, "make")
        assert made.returncode == 0, made.stderr
    assert run(tools / "ipvsadm", "./ipvsadm", "-b").returncode == 0


def test_the_quagga_takes_the_documents_switches_and_no_others(tmp_path: Path) -> None:
    quagga = world.make_tools(tmp_path) / "quagga"
    switches = [f"--disable-{name}" for name in ("ripd", "ripngd", "bgpd", "watchquagga", "doc")]
    switches += ["--enable-user=root", "--enable-vty-group=root", "--enable-group=root"]
    switches += ["--enable-zebra", "--localstatedir=/var/run/quagga"]
    assert run(quagga, "./configure", "--disable-everything").returncode != 0
    assert run(quagga, "./configure", *switches).returncode == 0
    assert run(quagga, "make").returncode == 0
    installed = run(quagga, "make", "install", f"DESTDIR={tmp_path}/root")
    assert installed.returncode == 0, installed.stderr
    assert (tmp_path / "root/usr/local/sbin/ospfd").exists()


def test_the_tarball_has_the_layout_of_the_real_one(tmp_path: Path) -> None:
    tarball = world.make_tarball(tmp_path, without=(TOA_PATCH,))
    with serve(tmp_path / "vault") as vault:
        srpm = world.make_srpm(tmp_path / "srpm")
        world.publish(vault, srpm, tarball)
        for address in world.addresses(vault):
            answer = requests.get(address, timeout=30)
            answer.raise_for_status()
            (tmp_path / Path(address).name).write_bytes(answer.content)
    made = unpack(tmp_path / world.TARBALL, tmp_path / "tree", console=Console())
    assert made.files >= 2
    assert (tmp_path / "tree" / LVS_PATCH).is_file()
    assert not (tmp_path / "tree" / TOA_PATCH).exists()
    assert (tmp_path / "tree" / "lvs-tools.tar.gz").is_file()
