"""A requirement that the target distribution lacks is named; one that it meets is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.errors import UsageError, VerificationError
from builder.host.paths import find_project
from builder.rpm import capabilities, repository
from builder.rpm.capabilities import Requirement

TARGET = """\
[target]
name = "el9"
arch = "x86_64"
isa_suffix = "()(64bit)"

[soname."libc.so.6"]
package = "glibc"
versions = ["GLIBC_2.2.5..GLIBC_2.34"]

[soname."libcrypto.so.3"]
package = "openssl-libs"
versions = ["OPENSSL_3.0.0"]

[feature."rpmlib(PayloadIsZstd)"]
package = "rpm"
version = "5.4.18-1"

[name.systemd]
package = "systemd"
version = "252"
"""

SPEC = """\
Name: needy
Version: 1
Release: 1
Summary: x
License: GPL-2.0-or-later
BuildArch: noarch
Requires: systemd >= 250
Requires: {extra}
Requires: needy-data = 1
Provides: needy-data = 1
%description
x
%files
%changelog
* Mon Nov 23 2026 A Tester <tester@builder.invalid>
- x
"""


@pytest.fixture
def target(tmp_path: Path) -> capabilities.Target:
    (tmp_path / "target.toml").write_text(TARGET)
    return capabilities.load_target(tmp_path / "target.toml")


def build_rpm(top: Path, extra: str) -> Path:
    top.mkdir(parents=True, exist_ok=True)
    (top / "needy.spec").write_text(SPEC.format(extra=extra))
    subprocess.run(
        ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", str(top / "needy.spec")],
        check=True,
        capture_output=True,
    )
    (rpm,) = top.glob("RPMS/noarch/*.rpm")
    return rpm


@pytest.mark.parametrize(
    ("name", "flag", "version", "met_by"),
    [
        ("libc.so.6()(64bit)", "", "", "glibc"),
        ("libc.so.6(GLIBC_2.2.5)(64bit)", "", "", "glibc"),
        ("libc.so.6(GLIBC_2.34)(64bit)", "", "", "glibc"),
        ("libc.so.6(GLIBC_2.35)(64bit)", "", "", ""),
        ("libc.so.6(GLIBC_2.4)(64bit)", "", "", "glibc"),
        ("libc.so.6(OTHER_2.4)(64bit)", "", "", ""),
        ("libcrypto.so.3(OPENSSL_3.0.0)(64bit)", "", "", "openssl-libs"),
        ("libcrypto.so.3(OPENSSL_3.0.9)(64bit)", "", "", ""),
        ("libcrypt.so.1()(64bit)", "", "", ""),
        ("systemd", "", "", "systemd"),
        ("systemd", "GE", "250", "systemd"),
        ("systemd", "GE", "253", ""),
        ("rpmlib(PayloadIsZstd)", "LE", "5.4.18-1", "rpm"),
        ("rpmlib(PayloadIsNew)", "LE", "1", ""),
        ("nobody", "", "", ""),
    ],
)
def test_who_meets_a_requirement(
    target: capabilities.Target, name: str, flag: str, version: str, met_by: str
) -> None:
    (finding,) = capabilities.hold(target, [Requirement("x", name, flag, version)])
    assert finding.met_by == met_by


def test_an_rpm_that_the_target_can_take_passes(
    target: capabilities.Target, tmp_path: Path
) -> None:
    rpm = build_rpm(tmp_path / "top", "systemd")
    wanted = capabilities.requirements((rpm,))
    assert {entry.name for entry in wanted} >= {"systemd"}
    assert "needy-data" not in {entry.name for entry in wanted}
    extra = [entry for entry in wanted if not entry.name.startswith("rpmlib")]
    capabilities.demand(target, capabilities.hold(target, extra))


def test_an_rpm_that_the_target_cannot_take_is_named(
    target: capabilities.Target, tmp_path: Path
) -> None:
    rpm = build_rpm(tmp_path / "top", "libnew.so.7()(64bit)")
    with pytest.raises(VerificationError) as caught:
        capabilities.demand(target, capabilities.hold(target, capabilities.requirements((rpm,))))
    assert "needy requires libnew.so.7()(64bit)" in caught.value.cause
    assert caught.value.exit_code == 4


def test_rpms_own_features_are_asked_for(tmp_path: Path) -> None:
    rpm = build_rpm(tmp_path / "top", "systemd")
    names = {entry.name for entry in capabilities.requirements((rpm,))}
    assert any(name.startswith("rpmlib(") for name in names)


def test_a_table_of_an_earlier_version_is_told_the_new_name(tmp_path: Path) -> None:
    (tmp_path / "target.toml").write_text(TARGET.replace("[target]", "[host]"))
    with pytest.raises(UsageError, match="target takes its place"):
        capabilities.load_target(tmp_path / "target.toml")


def test_a_table_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target.toml").write_text(TARGET + "\n[name.x]\npackages = 1\n")
    line = len(TARGET.splitlines()) + 3
    with pytest.raises(UsageError, match=rf"/target\.toml:{line} cannot be used") as caught:
        capabilities.load_target(tmp_path / "target.toml")
    assert caught.value.cause.endswith("unknown field `packages`; did you mean 'package'?")


def test_the_tables_of_this_project_are_good() -> None:
    for path in find_project().specs.glob("*/target-*.toml"):
        assert capabilities.load_target(path).soname


def test_equal_rpms_give_an_equal_repository(tmp_path: Path) -> None:
    rpm = build_rpm(tmp_path / "top", "systemd")
    for name in ("a", "b"):
        made = repository.make(tmp_path / name, "lts", (rpm,), (), 1_700_000_000)
        assert [path.name for path in made.packages] == ["needy-1-1.noarch.rpm"]
    for path in sorted((tmp_path / "a").rglob("*")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.is_dir() or path.read_bytes() == other.read_bytes()
    told = (tmp_path / "a" / "lvs-fullnat.repo").read_text().splitlines()
    assert {"gpgcheck=0", "priority=10"} <= set(told)
