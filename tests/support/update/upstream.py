"""An author's site, which a small project's tool comes from: tarballs, and a list of releases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builder.host.serving import served
from tests.world import PROFILE, SOURCE, World

KCONFIG = 'config X\n\tbool "x"\n\nconfig Y\n\tint "y"\n\trange 8 20\n'


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Upstream:
    """``folder``: what the site serves; the list of releases has kernel.org's form."""

    def __init__(self, world: World, folder: Path, port: int) -> None:
        self.world, self.folder, self.port = world, folder, port

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def release(self, version: str, **more: str) -> None:
        """Put out a release with these files beside the tool's own."""
        lock = self.world.project / "specs/small/sources.lock"
        pinned = lock.read_bytes() if lock.exists() else None
        self.world.write_source({**SOURCE, "Kconfig": KCONFIG, **more})
        (self.world.project / "tool-1.0.tar.gz").rename(self.folder / f"tool-{version}.tar.gz")
        if pinned is not None:
            lock.write_bytes(pinned)

    def list(self, *versions: str) -> None:
        told = [{"moniker": "stable", "version": one, "iseol": False} for one in versions]
        (self.folder / "releases.json").write_text(json.dumps({"releases": told}))


@contextmanager
def serve(world: World, folder: Path) -> Iterator[Upstream]:
    """The site with release 1.0, which the project's profile names."""
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    site = Upstream(world, folder, server.server_port)
    text = PROFILE.replace('"file:tool-1.0.tar.gz"', f'"{site.url("tool-1.0.tar.gz")}"')
    text = text.replace('version = "1.0"', 'version = "1.0"  # as 1.0 "is"')
    text = text.replace('text = "The first."', 'text = "Tool 1.0 with two."')
    text = f"# Version 1.0 of the tool.\n{text}\nreleases = '{site.url('releases.json')}'\n"
    (world.project / "specs/small/profile.toml").write_text(text)
    site.release("1.0")
    site.list("1.0")
    with served(server, 0.02):
        yield site
