"""A base out of RPMs: nothing unsigned is unpacked, an rpm of its own makes its database."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.base import vault
from builder.base.image import identity, make_root, require_host
from builder.base.method import Order
from builder.base.model import Base, Kind, load_base
from builder.base.packages import BasePackage, of_rpms
from builder.base.signed import fault_told, require_signatures
from builder.base.yum import repositories
from builder.console import Console
from builder.digest import of_file
from builder.engine import ContainerSpec, connect
from builder.engine.container import Engine
from builder.errors import (
    BuildError,
    EnvironmentFailure,
    SourceUnreachable,
    UsageError,
    VerificationError,
)
from builder.host.paths import Cache, find_project
from tests.support.base import userland
from tests.support.el6.signing import Key, throwaway_key
from tests.support.el6.vault import Vault, build_rpm, serve

SETTINGS = """
name = "old"
method = "yum"
release = "6.10"
arch = "x86_64"
repositories = ["os", "updates", "extras"]
mirrors = [{mirror!r}]
keys = ["keys/RPM-GPG-KEY-test"]
first = ["rpm", "filesystem"]
uname = "2.6.32-220.23.1.el6.lvs.x86_64"
vsyscall = true
nofile = [1024, 524288]
epoch = 1606694400
build = ["build.txt"]
[guest.sysv]
packages = ["guest.txt"]
files = ["guest"]
provides = "provides.txt"
"""


@dataclass(frozen=True)
class World:
    """A vault with a tiny distribution in it, the key it is signed with, and a base of it."""

    vault: Vault
    key: Key
    folder: Path

    @property
    def base(self) -> Base:
        return load_base(self.folder)

    def write(self, mirror: str, *build: str) -> None:
        (self.folder / "keys").mkdir(parents=True, exist_ok=True)
        (self.folder / "keys" / "RPM-GPG-KEY-test").write_text(self.key.public)
        (self.folder / "base.toml").write_text(SETTINGS.format(mirror=mirror))
        (self.folder / "build.txt").write_text("".join(f"{name}\n" for name in build))
        (self.folder / "guest.txt").write_text("rpm\n")


def no_engine() -> Engine:
    pytest.fail("no engine may be asked for")


def order(base: Base, folder: Path, kind: Kind = "build") -> Order:
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(io.StringIO(), interactive=False)
    return Order(base, kind, folder / "root.tar", console, folder / "log", no_engine)


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with throwaway_key("vault") as key:
        yield key


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory, key: Key) -> tuple[Path, ...]:
    made = userland.make(tmp_path_factory.mktemp("userland"))
    key.sign(*made)
    return made


@pytest.fixture
def world(tmp_path: Path, key: Key, rpms: tuple[Path, ...]) -> Iterator[World]:
    with serve(tmp_path / "vault") as served:
        served.add("os", *rpms)
        served.publish()
        made = World(served, key, tmp_path / "base")
        made.write(served.url, "rpm", "perl(Maker::Of)")
        yield made


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", vault.VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_the_base_of_the_project_can_be_read() -> None:
    base = load_base(find_project().bases / "centos6")
    assert base.settings.vsyscall
    assert base.settings.nofile == (1024, 524288)
    assert "perl(ExtUtils::Embed)" in base.packages("build")
    assert identity(base, "build") != identity(base, "guest")


def test_a_key_belongs_to_what_identifies_a_base(world: World) -> None:
    before = identity(world.base, "build")
    (world.folder / "keys" / "RPM-GPG-KEY-test").write_text("another\n")
    assert identity(world.base, "build") != before
    (world.folder / "keys" / "RPM-GPG-KEY-test").unlink()
    with pytest.raises(UsageError, match="RPM-GPG-KEY-test"):
        load_base(world.folder)


def test_a_host_without_vsyscall_is_told_and_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.host.vsyscall.is_mapped", lambda: True)
    require_host(world.base)
    monkeypatch.setattr("builder.host.vsyscall.is_mapped", lambda: False)
    with pytest.raises(EnvironmentFailure) as caught:
        require_host(world.base)
    assert "vsyscall=emulate" in caught.value.hint
    assert "--base debian12" in caught.value.hint
    assert not load_base(find_project().bases / "debian12").settings.vsyscall


def test_every_mirror_that_does_not_serve_is_told_with_its_answer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(world.vault.repository("extras") / "repodata")
    with pytest.raises(SourceUnreachable) as caught:
        make_root(order(world.base, tmp_path / "out"))
    asked = f"{world.vault.url}/6.10/extras/x86_64/repodata/repomd.xml"
    assert f"{asked}: HTTP 404" in caught.value.cause
    assert "LVS_VAULT" in caught.value.hint
    monkeypatch.setenv(vault.VARIABLE, f"file://{tmp_path}/nowhere")
    with pytest.raises(SourceUnreachable, match=r"nowhere/6\.10/os/x86_64") as caught:
        make_root(order(world.base, tmp_path / "out"))
    assert world.vault.url not in caught.value.cause


def test_a_package_that_no_repository_has_is_named(world: World, tmp_path: Path) -> None:
    world.write(world.vault.url, "rpm", "unheard-of")
    with pytest.raises(BuildError, match="unheard-of"):
        make_root(order(world.base, tmp_path / "out"))


def test_a_repository_that_lacks_an_rpm_of_its_list_is_told(world: World, tmp_path: Path) -> None:
    (world.vault.repository("os") / "Packages" / "maker-1-1.x86_64.rpm").unlink()
    with pytest.raises(SourceUnreachable, match="maker"):
        make_root(order(world.base, tmp_path / "out"))


def spoil(rpm: Path) -> None:
    data = bytearray(rpm.read_bytes())
    data[-40:-24] = bytes(16)
    rpm.write_bytes(data)


def test_rpms_that_our_keys_did_not_sign_are_refused_before_anything_is_unpacked(
    world: World, tmp_path: Path
) -> None:
    content = tmp_path / "content"
    (content / "usr/share/rogue").mkdir(parents=True)
    rogue = build_rpm(tmp_path, "rogue", content)
    world.vault.add("updates", rogue)
    world.vault.publish()
    world.write(world.vault.url, "rpm", "rogue")
    with pytest.raises(VerificationError, match=r"rogue-1-1.*it has no signature"):
        make_root(order(world.base, tmp_path / "out"))
    with throwaway_key("somebody else") as other:
        other.sign(rogue)
    with pytest.raises(VerificationError, match="NOKEY"):
        require_signatures((rogue,), world.base.keys, tmp_path)


def test_an_rpm_that_was_changed_after_it_was_signed_is_refused(
    world: World, tmp_path: Path, rpms: tuple[Path, ...]
) -> None:
    changed = Path(shutil.copy(rpms[-1], tmp_path / "maker.rpm"))
    require_signatures((changed,), world.base.keys, tmp_path)
    spoil(changed)
    with pytest.raises(VerificationError, match=r"maker\.rpm"):
        require_signatures((*rpms, changed), world.base.keys, tmp_path)


@pytest.mark.parametrize("key", ["eefbadf1", "0badc0de", "dead0bad00bad000"])
def test_a_key_whose_number_spells_bad_is_a_key(key: str) -> None:
    signed = f"    Header V4 RSA/SHA512 Signature, key ID {key}: OK"
    digests = ["    Header SHA256 digest: OK", "    MD5 digest: OK (0badf00d)"]
    assert fault_told([signed, *digests]) == ""
    assert "no signature" in fault_told(digests)
    for word in ("BAD", "NOKEY", "NOT OK", "NOTTRUSTED", "NOTFOUND", "BAD (Expected 1 != 2)"):
        line = f"    Payload SHA256 digest: {word}"
        assert fault_told([signed, line, *digests]) == line.strip()


def test_the_roots_own_repositories_check_signatures(world: World) -> None:
    settings = world.base.settings
    assert settings.method == "yum"
    text = repositories(settings)
    assert text.count("gpgcheck=1") == len(settings.repositories)
    assert f"baseurl={world.vault.url}/6.10/updates/x86_64" in text
    assert "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-test" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-r", "2.6.32-220.23.1.el6.lvs.x86_64"),
        ("-sr", "Linux 2.6.32-220.23.1.el6.lvs.x86_64"),
        ("--kernel-release", "2.6.32-220.23.1.el6.lvs.x86_64"),
        ("-m", os.uname().machine),
        ("", "Linux"),
    ],
)
def test_uname_does_not_tell_the_hosts_kernel(tmp_path: Path, words: str, told: str) -> None:
    script = find_project().root / "builder/base/container/uname"
    (tmp_path / "uname").write_text("2.6.32-220.23.1.el6.lvs.x86_64\n")
    local = script.read_text().replace("/etc/lvs-builder/uname", str(tmp_path / "uname"))
    (tmp_path / "script").write_text(local)
    ended = subprocess.run(
        ["sh", tmp_path / "script", *words.split()], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == told
    assert ("answered for" in ended.stderr) == (told.find("2.6.32") >= 0)


def test_rpms_have_the_digests_of_the_files_that_they_came_in(tmp_path: Path) -> None:
    content = tmp_path / "content"
    (content / "etc").mkdir(parents=True)
    (content / "etc/x").touch()
    plain = build_rpm(tmp_path, "plain", content)
    dated = build_rpm(tmp_path, "dated", content, {"Epoch": "4", "BuildArch": "noarch"})
    rpms = (plain, dated)
    assert of_rpms(("plain=1-1.x86_64", "dated=1-1.noarch"), rpms) == (
        BasePackage("dated", "4:1-1", "noarch", of_file(dated)),
        BasePackage("plain", "1-1", "x86_64", of_file(plain)),
    )
    with pytest.raises(BuildError, match="rogue:x86_64 1-1"):
        of_rpms(("plain=1-1.x86_64", "rogue=1-1.x86_64"), rpms)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
            patch.delenv(name, raising=False)
        with connect(Cache(tmp_path_factory.mktemp("engine")), Console()) as engine:
            yield engine


@pytest.mark.engine
def test_the_first_roots_rpm_makes_the_real_one(
    world: World, tmp_path: Path, engine: Engine
) -> None:
    asked = order(world.base, tmp_path / "out")
    made = make_root(replace(asked, engine=lambda: engine))
    names = ("filesystem", "maker", "setup", "userland")
    rpms = world.vault.repository("os") / "Packages"
    assert made.packages == tuple(
        BasePackage(name, "1-1", "x86_64", of_file(rpms / f"{name}-1-1.x86_64.rpm"))
        for name in names
    )
    with tarfile.open(asked.target) as tar:
        files = {name.removeprefix("./") for name in tar.getnames()}
        users = tar.extractfile("./etc/passwd")
        assert users is not None
        assert b"builder:x:1000:1000:" in users.read()
        hosts = tar.extractfile("./etc/hosts")
        assert hosts is not None
        assert b"lvs-builder" in hosts.read()
        assert max(entry.mtime for entry in tar if entry.name != ".") <= 1606694400
    assert {"usr/bin/maker", "usr/local/bin/uname", "etc/yum.repos.d/vault.repo"} <= files
    assert not any(name.startswith(("dev/", "in/", "out/", "target")) for name in files)
    tag = "lvs-builder/old:test"
    engine.import_image(asked.target, tag)
    log = tmp_path / "query"
    query = ("rpm", "--dbpath", "/var/lib/rpm", "--query", "maker", "gpg-pubkey")
    assert engine.run(ContainerSpec(tag, query), log=log) == 0
    assert "maker-1-1.x86_64" in log.read_text()


@pytest.mark.engine
def test_an_image_that_no_registry_serves_is_told_with_its_answer(
    world: World, tmp_path: Path, engine: Engine
) -> None:
    settings = world.folder / "base.toml"
    name = f"127.0.0.1:1/none@sha256:{'0' * 64}"
    settings.write_text(f"image = {name!r}\n{settings.read_text()}")
    asked = order(world.base, tmp_path / "out")
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1") as caught:
        make_root(replace(asked, engine=lambda: engine))
    assert "base.toml" in caught.value.hint
