"""The RPMs themselves: what rpmlint says, and whether a source RPM is enough to build from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.kernel import config
from builder.stages.products import TREE, rpms_of, source_rpms_of
from tests.support.kernel.hardening import weak
from tests.whole.conftest import Built

pytestmark = [pytest.mark.timeout(3000)]
RULES = Path(__file__).parent / "rpmlint.toml"


def _built(built: Built) -> list[str]:
    """Names of the components."""
    return [stage.removeprefix("build:") for stage in built.done if stage.startswith("build:")]


def _lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["rpmlint", "--config", str(RULES), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )


def _take_apart(source_rpm: Path, top: Path) -> Path:
    """Lay a source RPM out as rpmbuild wants it; returns its spec."""
    subprocess.run(
        ["rpm", "--install", "--define", f"_topdir {top}", str(source_rpm)],
        capture_output=True,
        check=True,
    )
    (spec,) = (top / "SPECS").glob("*.spec")
    return spec


def test_rpmlint_has_nothing_to_say_of_rpms_and_specs(built: Built, tmp_path: Path) -> None:
    names = _built(built)
    rpms = [path for name in names for path in rpms_of(built.done[f"build:{name}"])]
    specs = [
        _take_apart(path, tmp_path / name)
        for name in names
        for path in source_rpms_of(built.done[f"build:{name}"])
    ]
    ended = _lint(*rpms, *specs)
    assert ended.returncode == 0, ended.stdout
    assert f"{len(rpms)} packages and {len(specs)} specfiles checked" in ended.stdout
    assert " 0 errors, 0 warnings" in ended.stdout, ended.stdout


def test_rpmlint_would_tell(tmp_path: Path) -> None:
    spec = tmp_path / "bad.spec"
    spec.write_text(
        "Name: bad\nVersion: 1\nRelease: 1\nSummary: A bad one.\nLicense: Mine\n"
        "%description\nBad.\n%build\nmake\n%install\ncp bad $RPM_BUILD_ROOT/usr/lib/bad\n%files\n"
    )
    ended = _lint(spec)
    assert "hardcoded-library-path" in ended.stdout
    assert " 0 errors, 0 warnings" not in ended.stdout


def test_a_source_rpm_makes_the_tree_that_was_built(built: Built, tmp_path: Path) -> None:
    for name in _built(built):
        if f"prep:{name}" not in built.done:
            continue
        (source_rpm,) = source_rpms_of(built.done[f"build:{name}"])
        top = tmp_path / name
        spec = _take_apart(source_rpm, top)
        made = subprocess.run(
            ["rpmbuild", "-bp", "--nodeps", "--define", f"_topdir {top}", str(spec)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        (tree,) = (top / "BUILD").iterdir()
        prepared = built.done[f"prep:{name}"].path / TREE
        compared = subprocess.run(
            ["diff", "--recursive", "--brief", "--no-dereference", str(tree), str(prepared)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert compared.returncode == 0, compared.stdout[:2000]


def test_the_kernel_that_was_built_has_what_hardens_it(built: Built) -> None:
    (kernel,) = [
        path
        for path in rpms_of(built.done["build:kernel"])
        if not path.name.startswith(("kernel-lvs-devel", "kernel-lvs-headers"))
    ]
    command = f"rpm2cpio '{kernel}' | cpio --extract --quiet --to-stdout './lib/modules/*/config'"
    final = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert weak({option.symbol: option.value for option in config.parse(final, "config")}) == []
