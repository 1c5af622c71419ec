"""``image:build`` and ``image:guest``: the roots in which things are built and booted."""

from __future__ import annotations

import threading

import msgspec

from builder.base.image import ensure_image, identity, image_tag, make_root, method, require_host
from builder.base.model import Kind
from builder.base.packages import BasePackage, decode, encode
from builder.digest import Digest, of_bytes, of_text
from builder.farm.model import BaseImage
from builder.pipeline.digest import Input
from builder.pipeline.facts import ImageFacts
from builder.pipeline.stage import Damaged, Done, Stage, Work
from builder.pipeline.stagename import StageKind
from builder.shown import without_secrets_in
from builder.stages.products import TAR, root_tar
from builder.stages.setting import Setting

PACKAGES = "packages.json"


def image_stage(setting: Setting, kind: Kind) -> Stage:
    """One root, bootstrapped from packages; it waits for the network more than it computes."""

    def inputs() -> tuple[Input, ...]:
        base = setting.build.base
        named = "\n".join(map(without_secrets_in, base.settings.snapshot))
        dated = (Input("snapshot", of_text(named)),) if named else ()
        return (
            Input("base", identity(base, kind)),
            Input("kept", f"{TAR} {PACKAGES}"),
            *dated,
            *setting.code.alone(*method(base).code, "builder.base.packages"),
        )

    def run(work: Work) -> None:
        from builder.base.method import Order  # noqa: PLC0415 - only a run pays for it

        made = make_root(
            Order(
                setting.build.base,
                kind,
                work.output / TAR,
                setting.console,
                work.log,
                setting.engine,
            )
        )
        (work.output / PACKAGES).write_bytes(encode(made.packages))
        work.note(ImageFacts(len(made.packages), Digest(made.sha256)))

    def check() -> None:
        require_host(setting.build.base)

    return Stage(StageKind.IMAGE.of(kind), (), inputs, run, slot=False, check=check)


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
    """Loads a base's image into the engine, once per run, for whichever stage asks first."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._guard = threading.Lock()
        self._ready: set[str] = set()

    def identity(self, done: Done) -> BaseImage:
        """The image as workers on other machines are asked for it."""
        return BaseImage(_digest(done, TAR), self(done))

    def __call__(self, done: Done) -> str:
        """The image's tag; imports the root if the engine lost it or never had it."""
        base = self._setting.build.base
        tag = image_tag(base, _digest(done, TAR))
        with self._guard:
            if tag not in self._ready:
                engine = self._setting.engine()
                if ensure_image(engine, root_tar(done), base, tag):
                    self._setting.console.say(f"engine: imported {tag}")
                self._ready.add(tag)
        return tag
