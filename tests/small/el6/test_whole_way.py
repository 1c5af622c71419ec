"""``invoke build --profile el6`` in the small world: from a vault to a machine that boots."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.smoke import report as smoke_report
from tests.support.el6 import project, world
from tests.support.el6.signing import Key, throwaway_key
from tests.support.el6.vault import Vault, serve
from tests.support.el6.world import LVS_PATCH, TOA_PATCH, Kernel
from tests.world import Outcome, World

pytestmark = [pytest.mark.engine, pytest.mark.registry, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Sources:
    """The source RPM and the tarball."""

    srpm: Path
    tarball: Path

    @classmethod
    def make(cls, scratch: Path, key: Key, kernel: Kernel = world.PLAIN, **tarball: Any) -> Sources:
        srpm = world.make_srpm(scratch / "srpm", kernel, key)
        named = srpm.with_name(world.SRPM)
        if named != srpm:
            srpm.rename(named)
        return cls(named, world.make_tarball(scratch / "lvs", **tarball))


@dataclass
class Small:
    """A vault, a key, and a project whose profile el6 takes from them."""

    scratch: Path
    vault: Vault
    key: Key
    project: World

    def publish(self, sources: Sources) -> None:
        world.publish(self.vault, sources.srpm, sources.tarball)

    def publish_other(self, kernel: Kernel = world.PLAIN, **tarball: Any) -> None:
        """Sources with something wrong, at the same addresses."""
        self.publish(Sources.make(self.scratch, self.key, kernel, **tarball))

    def run(self, *words: str) -> Outcome:
        return self.project.run(*words[:1], "--profile", "el6", *words[1:])

    def profile(self, old: str, new: str) -> None:
        """Change the profile's text."""
        path = self.project.project / "specs/el6/profile.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with throwaway_key("the small world") as key:
        yield key


@pytest.fixture(scope="module")
def sources(key: Key, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources.make(tmp_path_factory.mktemp("sources"), key)


@pytest.fixture
def small(tmp_path: Path, key: Key, sources: Sources, pipeline_cache: Path) -> Iterator[Small]:
    with serve(tmp_path / "vault") as vault:
        urls = world.addresses(vault)
        made = project.make(tmp_path / "project", pipeline_cache, urls, key)
        small = Small(tmp_path / "scratch", vault, key, made)
        small.publish(sources)
        yield small


RELEASE = "2.6.32-220.23.1.el6.lvs"


@pytest.mark.guest
def test_the_whole_way_ends_with_a_repository_an_image_and_a_verdict(small: Small) -> None:
    # What ipvsadm needs is built, not found missing.
    alone = small.run("build", "--only", "ipvsadm")
    assert alone.status == 0, alone.errors
    for name in ("kernel", "keepalived", "ipvsadm"):
        assert f"build:{name}: done" in alone.errors
    assert "build:quagga" not in alone.errors
    ended = small.run("build")
    assert ended.status == 0, ended.errors
    assert "build:kernel: started" not in ended.errors
    repo = small.project.project / "artifacts/el6/repo"
    assert {path.name for path in repo.rglob("*.rpm")} == {
        *(f"{name}-{RELEASE}.x86_64.rpm" for name in ("kernel", "kernel-devel", "kernel-headers")),
        f"kernel-firmware-{RELEASE}.noarch.rpm",
        f"kernel-{RELEASE}.src.rpm",
        f"perf-{RELEASE}.x86_64.rpm",
        "keepalived-1.2.2-1.lvs.x86_64.rpm",
        "keepalived-1.2.2-1.lvs.src.rpm",
        "keepalived-libipvs-devel-1.2.2-1.lvs.x86_64.rpm",
        "ipvsadm-1.26-1.lvs.x86_64.rpm",
        "ipvsadm-1.26-1.lvs.src.rpm",
        "quagga-0.99.20-1.lvs.x86_64.rpm",
        "quagga-0.99.20-1.lvs.src.rpm",
        "lvs-director-1.0-1.lvs.noarch.rpm",
        "lvs-director-1.0-1.lvs.src.rpm",
    }
    proof = json.loads((repo / "install-proof.json").read_text())
    assert any(package.startswith("lvs-director-1.0") for package in proof["packages"])
    # The kernel of a few files looks at what its boot loader gave it, and runs no programs.
    artifacts = small.project.project / "artifacts/el6"
    assert (artifacts / "vm/release").read_text().strip() == f"{RELEASE}.x86_64"
    report = smoke_report.load(artifacts / "smoke/smoke.json")
    assert report.verdict == "pass"
    proven = [check for check in report.checks if not check.unsupported]
    assert [(check.check, check.detail) for check in proven] == [
        ("kernel.release", f"{RELEASE}.x86_64")
    ]
    again = small.run("build")
    assert again.status == 0
    assert "nothing has changed" in again.errors


def test_a_real_servers_kernel_has_toa(small: Small) -> None:
    ended = small.run("build", "--only", "kernel", "--flavour", "realserver")
    assert ended.status == 0, ended.errors
    made = small.project.cache.glob("stages/build-kernel/*/output/rpms/kernel-2*.lvs.toa.*.rpm")
    rpm = max(made, key=lambda path: path.stat().st_mtime)  # a cache that outlives runs has more
    listed = subprocess.run(["rpm", "-qpl", rpm], capture_output=True, text=True, check=True)
    assert any(line.endswith("/toa.ko") for line in listed.stdout.splitlines())


def require_refusal(ended: Outcome, status: int, *words: str) -> None:
    """It failed as users are told, and left no trace of Python."""
    assert ended.status == status, ended.errors
    said = ended.errors[ended.errors.find("failed: ") :]
    for word in words:
        assert word in said, said
    assert "Traceback" not in ended.errors


def test_a_symbol_without_a_value_is_named_before_anything_is_compiled(small: Small) -> None:
    small.profile('config-generic = ["CONFIG_TOA=m"]', "config-generic = []")
    ended = small.run("build", "--only", "kernel", "--flavour", "realserver")
    require_refusal(ended, 2, "CONFIG_TOA", "vendor.config")
    assert "build:kernel: started" not in ended.errors


def test_a_number_out_of_its_range_is_told_from_the_builds_log(small: Small) -> None:
    small.profile("CONFIG_IP_VS_TAB_BITS=20", "CONFIG_IP_VS_TAB_BITS=30")
    ended = small.run("build", "--only", "kernel")
    require_refusal(ended, 6, "CONFIG_IP_VS_TAB_BITS", "out of the symbol's range")


def test_a_patch_for_another_tree_stops_before_the_build(small: Small) -> None:
    source = (world.DATA / "linux/net/netfilter/ipvs/ip_vs_conn.c").read_text()
    name = "net/netfilter/ipvs/ip_vs_conn.c"
    other = {name: source.replace("caddr ^ conn->cport", "caddr")}
    small.publish_other(Kernel(tree=other))
    ended = small.run("build", "--only", "kernel")
    require_refusal(ended, 5, LVS_PATCH, name)


@pytest.mark.parametrize("spoilt", ["line ends", "cut"])
def test_a_patch_that_was_spoilt_with_its_tarball_is_told(small: Small, spoilt: str) -> None:
    text = (world.DATA / "lvs.patch").read_text()
    other = text.replace("\n", "\r\n") if spoilt == "line ends" else text[: len(text) // 2]
    small.publish_other(patches={LVS_PATCH: other})
    ended = small.run("build", "--only", "kernel")
    require_refusal(ended, 5, LVS_PATCH, "ask for the archive again")
    assert "sed -i" not in ended.errors


@pytest.mark.parametrize("member", [LVS_PATCH, "lvs-tools.tar.gz"])
def test_a_tarball_that_lacks_a_member_is_told_with_what_it_has(member: str, small: Small) -> None:
    small.publish_other(without=(member,))
    goal = "kernel" if member == LVS_PATCH else "quagga"
    require_refusal(small.run("build", "--only", goal), 4, member, TOA_PATCH)


def test_tools_and_kernel_that_disagree_are_not_built(small: Small) -> None:
    header = (world.DATA / "linux/include/linux/ip_vs.h").read_text()
    assert "struct ip_vs_service_user {" in header
    wider = header.replace(
        "struct ip_vs_service_user {", "struct ip_vs_service_user {\n\t__u64 more;"
    )
    small.publish_other(Kernel(tree={"include/linux/ip_vs.h": wider}))
    require_refusal(small.run("build", "--only", "keepalived"), 4, "ip_vs_service_user")


def test_a_compiler_error_is_told_and_what_was_finished_is_kept(small: Small) -> None:
    small.publish_other(Kernel(fail_at="modules"))
    ended = small.run("build", "--only", "kernel")
    require_refusal(ended, 6, "told to fail", "log")


def test_a_source_rpm_of_another_release_is_told_with_what_would_fit(small: Small) -> None:
    small.publish_other(Kernel(release="2.6.32-279.5.1.el6"))
    ended = small.run("build", "--only", "kernel")
    require_refusal(ended, 4, "kernel-2.6.32-279.5.1.el6", "2.6.32-220.23.1.el6")


def test_a_source_rpm_that_nobody_accepted_has_signed_is_refused(small: Small) -> None:
    bare = world.make_srpm(small.scratch / "bare")
    tarball = world.make_tarball(small.scratch / "lvs")
    small.publish(Sources(bare, tarball))
    require_refusal(small.run("fetch"), 4, "is not signed")
    with throwaway_key("somebody else") as other:
        other.sign(bare)
    small.publish(Sources(bare, tarball))
    require_refusal(small.run("fetch"), 4, "small-world")


def test_a_corrupted_source_rpm_is_refused(small: Small, sources: Sources) -> None:
    data = bytearray(sources.srpm.read_bytes())
    data[-200] ^= 1
    damaged = small.scratch / "damaged" / world.SRPM
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(data)
    small.publish(Sources(damaged, sources.tarball))
    require_refusal(small.run("fetch"), 4, world.SRPM)
