"""``image:build`` and ``image:guest``: the roots in which things are built and booted."""

from __future__ import annotations

import threading

from builder.base import (
    Kind,
    Order,
    ensure_image,
    identity,
    image_tag,
    make_root,
    method,
    require_host,
)
from builder.digest import Digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import ImageFacts
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import StageKind
from builder.stages.products import TAR, root_tar
from builder.stages.setting import Setting

PACKAGES = "packages.txt"


def image_stage(setting: Setting, kind: Kind) -> Stage:
    """One root, bootstrapped from packages; it waits for the network more than it computes."""

    def inputs() -> tuple[Input, ...]:
        base = setting.build.base
        return (Input("base", identity(base, kind)), *setting.code.alone(*method(base).code))

    def run(work: Work) -> None:
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
        (work.output / PACKAGES).write_text(
            "".join(f"{name}\n" for name in made.packages), encoding="utf-8"
        )
        work.note(ImageFacts(len(made.packages), Digest(made.sha256)))

    def check() -> None:
        require_host(setting.build.base)

    return Stage(StageKind.IMAGE.of(kind), (), inputs, run, slot=False, check=check)


def _tar_digest(done: Done) -> Digest:
    return next(entry.sha256 for entry in done.manifest.outputs if entry.path == TAR)


class ReadyImage:
    """Has the engine hold a base's image, once per run, whichever stage asks first."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._guard = threading.Lock()
        self._ready: set[str] = set()

    def __call__(self, done: Done) -> str:
        """The image's tag; imports the root if the engine lost it or never had it."""
        base = self._setting.build.base
        tag = image_tag(base, _tar_digest(done))
        with self._guard:
            if tag not in self._ready:
                engine = self._setting.engine()
                if ensure_image(engine, root_tar(done), base, tag):
                    self._setting.console.say(f"engine: imported {tag}")
                self._ready.add(tag)
        return tag
