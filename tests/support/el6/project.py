"""Projects of el6's tests: the real profile, with a vault and a base that can be had there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests import world
from tests.support.el6.signing import Key
from tests.world import ROOT, World

EL6 = "centos6"
ORIGIN = "debian12"
KEY = "keys/small-world"
_FIXES = re.compile(r"^\[\[component\.kernel\.fixes\]\]\n(?:\w.*\n)+", re.MULTILINE)
_SIGNED = re.compile(r"^signed_by = \[.*?^\]", re.MULTILINE | re.DOTALL)


def stand_in(bases: Path) -> Path:
    """Put a base of Debian packages in the place of centos6: its name, and its need of vsyscall.

    ``bases``: the folder ``dockerfiles`` of a test's project.
    """
    folder = bases / EL6
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bases / ORIGIN, folder)
    text = (folder / "base.toml").read_text()
    named = text.replace(f'name = "{ORIGIN}"', f'name = "{EL6}"\nvsyscall = true')
    # busybox is a component of the profile in the base debian12 alone
    (folder / "base.toml").write_text(named.replace('"lvs-busybox", ', ""))
    with (folder / "guest/sysv/packages.txt").open("a") as packages:
        packages.write("busybox-static\n")
    return folder


def make(project: Path, cache: Path, urls: tuple[str, str], key: Key) -> World:
    """A project with the profile el6: its sources at ``urls``, the source RPM signed by ``key``.

    The small world's sources are not those that our patches are for; and what is linked in
    the stand-in for centos6 is linked statically, as its libraries are not EL6's.
    """
    made = world.make(project, cache)
    specs = made.project / "specs" / "el6"
    shutil.copytree(ROOT / "specs" / "el6", specs)
    (specs / KEY).write_text(key.public)
    (specs / "profile.toml").write_text(_profile(specs / "profile.toml", urls, key))
    (specs / "sources.lock").unlink(missing_ok=True)
    (made.project / "patches" / "el6" / "kernel-modern-toolchain").mkdir(parents=True)
    stand_in(made.project / "dockerfiles")
    return made


def _profile(path: Path, urls: tuple[str, str], key: Key) -> str:
    text = path.read_text().replace('linking = "dynamic"', 'linking = "static"')
    signed = f'signed_by = [{{ key = "{KEY}", fingerprint = "{key.fingerprint}" }}]'
    text, found = _SIGNED.subn(signed, text)
    assert found == 1
    text, found = _FIXES.subn("", text)
    assert found == 1
    for name, url in zip(("kernel", "lvs"), urls, strict=True):
        table = text.index(f"[source.{name}]")
        begin = text.index("\nlocations = [", table)
        end = text.index("\n]", begin) + len("\n]")
        text = f'{text[:begin]}\nlocations = [{{ url = "{url}" }}]{text[end:]}'
    return text
