"""Make a base from old RPMs, with an rpm of the same age.

A current rpm would write a database that rpm 4.8 cannot read.  So there are two roots.  The
first has only rpm and a shell, unpacked without a database (or it is an official image).  In a
container of the first root, its rpm installs the real one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.base import vault
from builder.base.method import Bootstrapped, Order, measure
from builder.base.mmdebstrap import HOSTNAME
from builder.base.model import Base, Yum
from builder.base.packages import of_rpms
from builder.base.signed import require_signatures
from builder.engine.spec import ContainerSpec, Mount, describe_status
from builder.errors import BuildError, EnvironmentFailure
from builder.host import buildlog, removal, vsyscall
from builder.host.process import require_tool, run
from builder.shown import without_secrets
from builder.source.probe import probe

if TYPE_CHECKING:
    from builder.engine import Engine

CONTAINER = Path(__file__).parent / "container"
CRASHED = 139  # 128 and SIGSEGV


@dataclass(frozen=True)
class _Folders:
    """``top``: scratch; ``rpms``: all RPMs; ``out``: what the container leaves."""

    top: Path

    @property
    def rpms(self) -> Path:
        return self.top / "rpms"

    @property
    def out(self) -> Path:
        return self.top / "out"


def bootstrap(order: Order) -> Bootstrapped:
    """Write the ordered root file system.

    Same packages, same files, except rpm's database, which has the time of installation.

    Raises SourceUnreachable, VerificationError, EnvironmentFailure or BuildError.
    """
    settings, base, log = _settings(order.base), order.base, order.log
    began = time.monotonic()
    order.target.parent.mkdir(parents=True, exist_ok=True)
    mirror = vault.choose(settings, lambda url: probe(url, Path("/")))
    order.console.say(f"{settings.name}: packages from {without_secrets(mirror)}")
    with removal.scratch(order.target.parent, "root-") as scratch:
        folders = _Folders(scratch)
        for folder in (folders.rpms, folders.out):
            folder.mkdir()
        patience = order.patience
        config = vault.write_config(settings, mirror, folders.top, patience)
        first, rpms = (
            vault.bring(settings, config, names, folders.rpms, log, patience=patience)
            for names in (settings.first, base.packages(order.kind))
        )
        require_signatures(rpms, base.keys, folders.top)
        order.console.say(f"{settings.name}: {len(rpms)} RPMs, all signed by its keys")
        engine = order.engine()
        image = _first_image(engine, settings, first, folders, order)
        try:
            _install(engine, image, order, settings, folders)
        finally:
            if not settings.image:
                engine.remove_image(image)
        installed = (folders.out / "packages").read_text(encoding="utf-8").split()
        packages = of_rpms(installed, rpms)
        (folders.out / "root.tar").rename(order.target)
    return measure(order, packages, began)


def _settings(base: Base) -> Yum:
    if not isinstance(base.settings, Yum):
        raise TypeError(f"{base.settings.name} is not a base of RPMs")
    return base.settings


def _first_image(
    engine: Engine, settings: Yum, rpms: Sequence[Path], folders: _Folders, order: Order
) -> str:
    """The image whose rpm installs: the official one, or one made of ``rpms``."""
    if settings.image:
        if not engine.has_image(settings.image):
            order.console.say(f"pulling {settings.image}")
            engine.pull(settings.image)
        return settings.image
    digest = hashlib.sha256("\0".join(rpm.name for rpm in rpms).encode()).hexdigest()
    tag = f"lvs-builder/{settings.name}-first:{digest[:16]}"
    engine.import_image(unpack(rpms, folders.top, order.log), tag)
    return tag


def unpack(rpms: Sequence[Path], scratch: Path, log: Path) -> Path:
    """A tar of the RPMs' files, without scriptlets and without a database.

    Raises BuildError if one cannot be unpacked.
    """
    root, archive, tar = scratch / "first", scratch / "first.cpio", scratch / "first.tar"
    root.mkdir()
    opener = require_tool("rpm2cpio")
    cpio = require_tool("cpio")
    for rpm in rpms:
        with archive.open("wb") as file:
            opened = run([opener, rpm], stdout_file=file)
        with archive.open("rb") as file:
            # The engine provides the devices.
            taken = run(
                [
                    *(cpio, "--extract", "--make-directories", "--quiet"),
                    *("--no-absolute-filenames", "--unconditional", "--owner=0:0"),
                    *("--nonmatching", "./dev/*", "./lib/udev/devices/*"),
                ],
                stdin_file=file,
                cwd=root,
                own_namespaces=True,
            )
        if not (opened.ok and taken.ok):
            raise BuildError(
                f"{rpm.name} cannot be unpacked",
                opened.complaint if not opened.ok else taken.complaint,
                "take another mirror of the vault",
                log=log,
            )
    packed = run(
        [require_tool("tar"), "--create", f"--file={tar}", f"--directory={root}", "."],
        own_namespaces=True,
    )
    if not packed.ok:
        raise BuildError("the first root cannot be packed", packed.complaint, "", log=log)
    return tar


def repositories(settings: Yum) -> str:
    """The root's yum configuration for the vault, with signature checks."""
    stanzas = []
    for name, url in vault.urls(settings, without_secrets(settings.mirrors[0])).items():
        stanzas.append(f"[{name}]\nname={name}\nbaseurl={url}\nenabled=1\ngpgcheck=1\n")
    keys = " ".join(f"file:///etc/pki/rpm-gpg/{Path(name).name}" for name in settings.keys)
    return "\n".join(f"{stanza}gpgkey={keys}\n" for stanza in stanzas)


def install_spec(image: str, order: Order, settings: Yum, folders: _Folders) -> ContainerSpec:
    """The container in which the first root's rpm makes the real one."""
    _write_keys(order.base, settings, folders.top / "keys")
    (folders.top / "vault.repo").write_text(repositories(settings), encoding="utf-8")
    return ContainerSpec(
        image=image,
        argv=("/bin/sh", "/in/install-root.sh"),
        mounts=(
            Mount(CONTAINER / "install-root.sh", "/in/install-root.sh"),
            Mount(CONTAINER / "uname", "/in/uname"),
            Mount(folders.rpms, "/in/rpms"),
            Mount(folders.top / "keys", "/in/keys"),
            Mount(folders.top / "vault.repo", "/in/vault.repo"),
            Mount(folders.out, "/out", writable=True),
        ),
        env=(
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LC_ALL", "C"),
            ("KIND", order.kind),
            ("HOST", HOSTNAME),
            ("EPOCH", str(settings.epoch)),
            ("UNAME", settings.uname),
        ),
        nofile=settings.nofile,
        root=True,
    )


def _write_keys(base: Base, settings: Yum, folder: Path) -> None:
    folder.mkdir()
    for name, text in zip(settings.keys, base.keys, strict=True):
        (folder / Path(name).name).write_text(text, encoding="utf-8")


def _install(engine: Engine, image: str, order: Order, settings: Yum, folders: _Folders) -> None:
    status = engine.run(install_spec(image, order, settings, folders), log=order.log)
    if status == 0:
        return
    what = f"the {order.kind} root of {settings.name} could not be made"
    if status == CRASHED and settings.vsyscall:
        raise EnvironmentFailure(
            what, f"{describe_status(status)}, as without vsyscall", vsyscall.FIX, log=order.log
        )
    raise BuildError(what, buildlog.cause(order.log), "see the log", log=order.log)
