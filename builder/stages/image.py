"""``image:build`` and ``image:guest``: the roots in which things are built and booted."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from builder.base import (
    Kind,
    Order,
    ensure_image,
    identity,
    image_tag,
    make_root,
    require_host,
)
from builder.base.packages import BasePackage, decode, encode
from builder.digest import Digest, of_bytes, of_text
from builder.pipeline.digest import Input
from builder.pipeline.stage import Damaged, Done, Stage, Work
from builder.shown import without_secrets_in
from builder.stages.setting import Setting

BUILD_STAGE = "image:build"
GUEST_STAGE = "image:guest"
TAR = "root.tar"
PACKAGES = "packages.json"


def image_stage(setting: Setting, kind: Kind) -> Stage:
    """One root, bootstrapped from packages; it waits for the network more than it computes."""

    def inputs() -> tuple[Input, ...]:
        base = setting.load_base()
        named = "\n".join(map(without_secrets_in, base.settings.snapshot))
        dated = (Input("snapshot", of_text(named)),) if named else ()
        return (Input("base", identity(base, kind)), *dated)

    def run(work: Work) -> None:
        base = setting.load_base()
        made = make_root(
            Order(base, kind, work.output / TAR, setting.console, work.log, setting.engine)
        )
        (work.output / PACKAGES).write_bytes(encode(made.packages))
        work.note("packages", str(len(made.packages)))
        work.note("sha256", made.sha256)

    def check() -> None:
        require_host(setting.load_base())

    return Stage(f"image:{kind}", (), inputs, run, slot=False, check=check)


def root_tar(done: Done) -> Path:
    """The tar that an image stage put out."""
    return done.path / TAR


def packages_of(done: Done) -> tuple[BasePackage, ...]:
    """What an image stage has put into its root.  Raises Damaged if its list has changed."""
    try:
        data = (done.path / PACKAGES).read_bytes()
        if of_bytes(data) != _digest(done, PACKAGES):
            raise Damaged(done, f"{PACKAGES} has changed")
        return decode(data)
    except (OSError, msgspec.DecodeError) as error:
        raise Damaged(done, f"{PACKAGES} cannot be read: {error}") from error


def _digest(done: Done, name: str) -> Digest:
    return next(entry.sha256 for entry in done.manifest.outputs if entry.path == name)


class ReadyImage:
    """Has the engine hold a base's image, once per run, whichever stage asks first."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._guard = threading.Lock()
        self._ready: set[str] = set()

    def __call__(self, done: Done) -> str:
        """The image's tag; imports the root if the engine lost it or never had it."""
        base = self._setting.load_base()
        tag = image_tag(base, _digest(done, TAR))
        with self._guard:
            if tag not in self._ready:
                engine = self._setting.engine()
                if ensure_image(engine, root_tar(done), base, tag):
                    self._setting.console.say(f"engine: imported {tag}")
                self._ready.add(tag)
        return tag
