"""A vendor's spec is amended where it provides for it, or the run says which line it missed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import PatchError, UsageError
from builder.kernel import vendor
from builder.patch import series

ROOT = Path(__file__).parents[3]

PROFILE = """
spec = "kernel.spec"
with = ["firmware"]
without = ["kabichk"]
replace = [{ line = "# % define buildid .local", to = ["%define buildid .lvs"] }]

[patches]
tags = "# empty final patch file to facilitate testing of kernel patches"
apply = "ApplyOptionalPatch linux-kernel-test.patch"

[config]
config-generic = ["CONFIG_IP_VS_TAB_BITS=20"]

[base.debian12]
without = ["fips"]
replace = [{ line = "%define signmodules 1", to = ["%define signmodules 0"] }]
defines = { _buildshell = "/bin/bash" }
[base.debian12.config]
config-generic-rhel = ["# CONFIG_MODULE_SIG is not set"]

[flavour.realserver.config]
config-generic = ["CONFIG_TOA=m", "CONFIG_IP_VS_TAB_BITS=12"]
"""

# Written for this test, with the places that the vendor's has: a commented-out buildid, an
# optional last patch, a merge of configuration files before it and a check after it.
SPEC = """\
%define dist .el6
# % define buildid .local
%define rhel 1
%if %{rhel}
%define signmodules 1
%else
%define signmodules 0
%endif
%define with_firmware %{?_with_firmware: 1} %{?!_with_firmware: 0}
%define pkg_release 220.23.1%{?dist}%{?buildid}
Name: kernel
Version: 2.6.32
Release: %{pkg_release}
Summary: A small one
License: GPLv2
Source0: linux.tar
Source1: config-generic
Source2: config-generic-rhel
# empty final patch file to facilitate testing of kernel patches
Patch999999: linux-kernel-test.patch
%description
None.
%prep
ApplyPatch()
{
  patch -p1 -F1 -s < $RPM_SOURCE_DIR/$1
}
ApplyOptionalPatch()
{
  local C=$(wc -l $RPM_SOURCE_DIR/$1 | awk '{print $1}')
  if [ "$C" -gt 9 ]; then
    ApplyPatch $1
  fi
}
%setup -q -n linux
cat %{SOURCE1} %{SOURCE2} > .config
ApplyOptionalPatch linux-kernel-test.patch
make -s nonint_oldconfig > /dev/null
%if %{signmodules}
false no key can be made here
%endif
echo firmware=%{with_firmware} > switches
"""

MAKEFILE = """\
nonint_oldconfig:
\t@bad=0; for s in `cat Kconfig`; do \\
\t  grep -q "^$$s=\\|^# $$s is not set" .config || { echo "$$s" >&2; bad=1; }; done; exit $$bad
"""

LVS_PATCH = """\
--- a/Kconfig
+++ b/Kconfig
@@ -1,1 +1,2 @@
 CONFIG_IP_VS_TAB_BITS
+CONFIG_IP_VS_PROTO_ICMP
"""

TOA_PATCH = """\
--- a/Kconfig
+++ b/Kconfig
@@ -1,2 +1,3 @@
 CONFIG_IP_VS_TAB_BITS
 CONFIG_IP_VS_PROTO_ICMP
+CONFIG_TOA
"""


def described() -> vendor.Vendor:
    return msgspec.toml.decode(PROFILE, type=vendor.Vendor)


def amended(base: str = "debian12", flavour: str = "director", *patches: str) -> str:
    made = described()
    return vendor.amend_spec(SPEC, vendor.resolve(made, base, flavour), patches)


def write_sources(folder: Path, config: str) -> Path:
    """SOURCES with a tree of two files, and patches of which the second needs the first."""
    sources = folder / "SOURCES"
    tree = folder / "linux"
    sources.mkdir()
    tree.mkdir()
    (tree / "Makefile").write_text(MAKEFILE)
    (tree / "Kconfig").write_text("CONFIG_IP_VS_TAB_BITS\n")
    subprocess.run(["tar", "-C", folder, "-cf", sources / "linux.tar", "linux"], check=True)
    (sources / "lvs.patch").write_text(LVS_PATCH)
    (sources / "toa.patch").write_text(TOA_PATCH)
    (sources / "linux-kernel-test.patch").write_text("\n")
    (sources / "config-generic").write_text(config)
    (sources / "config-generic-rhel").write_text("CONFIG_MODULE_SIG=y\n")
    return sources


def prepare(folder: Path, flavour: str, config: str) -> subprocess.CompletedProcess[str]:
    """rpmbuild -bp of the amended spec on amended configuration files."""
    sources = write_sources(folder, config)
    additions = vendor.resolve(described(), "debian12", flavour)
    for name, lines in additions.config.items():
        path = sources / name
        path.write_text(vendor.amend_config(path.read_text(), lines, name))
    spec = folder / "kernel.spec"
    spec.write_text(amended("debian12", flavour, "lvs.patch", "toa.patch"))
    options = vendor.rpmbuild_options(additions)
    command = ["rpmbuild", "-bp", "--define", f"_topdir {folder}", *options, str(spec)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_an_amended_spec_prepares_the_patched_and_configured_tree(tmp_path: Path) -> None:
    ended = prepare(tmp_path, "realserver", "CONFIG_IP_VS_PROTO_ICMP=y\nCONFIG_IP_VS_TAB_BITS=8\n")
    assert ended.returncode == 0, ended.stderr
    (tree,) = (tmp_path / "BUILD").rglob("linux")  # rpm 4.20 has one more folder between the two
    assert (tree / "Kconfig").read_text().split() == [
        "CONFIG_IP_VS_TAB_BITS",
        "CONFIG_IP_VS_PROTO_ICMP",
        "CONFIG_TOA",
    ]
    assert (tree / ".config").read_text().splitlines() == [
        "CONFIG_IP_VS_PROTO_ICMP=y",
        "CONFIG_IP_VS_TAB_BITS=12",
        "CONFIG_TOA=m",
        "# CONFIG_MODULE_SIG is not set",
    ]
    assert (tree / "switches").read_text().split() == ["firmware=", "1"]


def test_symbols_without_a_value_are_named_from_the_log_and_beforehand(tmp_path: Path) -> None:
    config = "CONFIG_IP_VS_TAB_BITS=8\n"
    ended = prepare(tmp_path, "director", config)
    assert ended.returncode != 0
    named = vendor.unset_symbols(ended.stderr.splitlines())
    assert named == ("CONFIG_IP_VS_PROTO_ICMP", "CONFIG_TOA")
    added = ["CONFIG_IP_VS_TAB_BITS", "CONFIG_IP_VS_PROTO_ICMP", "CONFIG_TOA"]
    assert vendor.symbols_without_line(added, {"config-generic": config}) == named
    cause, hint = vendor.explain_unset(named)
    assert "CONFIG_IP_VS_PROTO_ICMP, CONFIG_TOA" in cause
    assert "vendor.config" in hint


def test_a_symbol_inside_other_words_is_not_taken_for_an_unset_one() -> None:
    log = ["CONFIG_A=y", "warning: CONFIG_B is odd", "  CONFIG_C  ", "CONFIG_C", "+ CONFIG_D"]
    assert vendor.unset_symbols(log) == ("CONFIG_C",)


def test_the_release_carries_the_build_id(tmp_path: Path) -> None:
    spec = tmp_path / "kernel.spec"
    spec.write_text(amended())
    query = ["rpmspec", "-q", "--srpm", "--queryformat", "%{release}", str(spec)]
    ended = subprocess.run(query, check=True, capture_output=True, text=True)
    assert ended.stdout == "220.23.1.el6.lvs"


def test_everything_else_of_the_spec_stays_as_it_is() -> None:
    text = amended("centos6", "director", "lvs.patch")
    before, after = SPEC.split("\n"), text.split("\n")
    assert [line for line in after if line not in before] == [
        "%define buildid .lvs",
        "Patch90001: lvs.patch",
        "ApplyPatch lvs.patch",
    ]
    assert [line for line in before if line not in after] == ["# % define buildid .local"]


@pytest.mark.parametrize(
    ("line", "other", "words"),
    [
        ("# % define buildid .local", "# %define buildid .local", "found none"),
        ("%define signmodules 1", "%define signmodules 1\n%define signmodules 1", "found 2"),
        ("ApplyOptionalPatch linux-kernel-test.patch", "", "found none"),
        ("# empty final patch file to facilitate testing of kernel patches", "# x", "none"),
    ],
)
def test_a_spec_that_is_different_stops_with_the_line_looked_for(
    line: str, other: str, words: str
) -> None:
    made = described()
    with pytest.raises(PatchError) as caught:
        vendor.amend_spec(
            SPEC.replace(f"{line}\n", f"{other}\n"),
            vendor.resolve(made, "debian12", "director"),
            ["a.patch"],
        )
    assert repr(line) in caught.value.cause
    assert words in caught.value.cause
    assert caught.value.exit_code == 5


def test_a_spec_is_not_amended_twice() -> None:
    made = described()
    with pytest.raises(PatchError, match="buildid"):
        vendor.amend_spec(amended(), vendor.resolve(made, "centos6", "director"), [])


def test_a_patch_number_that_is_taken_stops() -> None:
    made = described()
    spec = SPEC.replace("Patch999999:", "Patch90002: theirs.patch\nPatch999999:")
    with pytest.raises(PatchError, match="Patch90002"):
        vendor.amend_spec(spec, vendor.resolve(made, "", ""), ["a.patch", "b.patch"])


def test_base_and_flavour_add_and_have_the_last_word() -> None:
    plain = vendor.resolve(described(), "centos6", "director")
    both = vendor.resolve(described(), "debian12", "realserver")
    assert vendor.rpmbuild_options(plain) == ("--with", "firmware", "--without", "kabichk")
    assert vendor.rpmbuild_options(both)[4:] == (
        *("--without", "fips"),
        *("--define", "_buildshell /bin/bash"),
    )
    assert both.config["config-generic"] == ("CONFIG_IP_VS_TAB_BITS=12", "CONFIG_TOA=m")
    assert [edit.to for edit in both.replace][-1] == ("%define signmodules 0",)


def test_a_base_can_take_a_switch_back() -> None:
    made = msgspec.toml.decode(
        PROFILE.replace('without = ["fips"]', 'without = ["firmware"]'), type=vendor.Vendor
    )
    options = vendor.rpmbuild_options(vendor.resolve(made, "debian12", "director"))
    assert options[:4] == ("--without", "firmware", "--without", "kabichk")


@pytest.mark.parametrize("wrong", ["withuot = []", "[base.debian12.confg]", "[patches2]"])
def test_a_misspelt_key_is_refused(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(f"{wrong}\n{PROFILE}", type=vendor.Vendor)


@pytest.mark.parametrize(
    "line", ["CONFIG_TOA", "TOA=m", "# CONFIG_TOA is not set?", "CONFIG_TOA=mm"]
)
def test_a_malformed_option_is_refused(line: str) -> None:
    wanted = [line]
    with pytest.raises(UsageError, match="config-generic"):
        vendor.amend_config("", wanted, "config-generic")


@given(
    st.lists(st.sampled_from(["CONFIG_A=y", "# CONFIG_A is not set", "# a word", "", "CONFIG_B=m"]))
)
def test_an_amended_configuration_says_each_wanted_option_once(lines: list[str]) -> None:
    wanted = ["# CONFIG_A is not set", 'CONFIG_S="a b"']
    text = vendor.amend_config("\n".join(lines), wanted, "config-generic")
    for line in wanted:
        assert text.splitlines().count(line) == 1
    assert "CONFIG_A=y" not in text
    assert text.splitlines().count("CONFIG_B=m") == lines.count("CONFIG_B=m")
    assert vendor.amend_config(text, wanted, "config-generic") == text


def test_the_compatibility_series_is_whole() -> None:
    loaded = series.load(ROOT / "patches" / "el6" / "kernel-modern-toolchain")
    assert len(loaded.patches) >= 1
    for patch in loaded.patches:
        words = patch.path.read_text(encoding="utf-8").partition("\n---\n")[0]
        body = words.partition("Subject:")[2].partition("\n\n")[2]
        assert len(body.split()) > 20, f"{patch.name} does not say why"
