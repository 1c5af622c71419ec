"""Debian's Redis with a user and a password, run without being installed."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.source.model import Location, Source
from tests.support.relay.client import Client
from tests.support.remote.store import USER
from tests.support.source.site import Site

LIBRARIES = "usr/lib/x86_64-linux-gnu"
FILES = {
    "redis-server": ("redis-tools", "usr/bin/redis-check-rdb"),
    "libatomic.so.1": ("libatomic1", f"{LIBRARIES}/libatomic.so.1.2.0"),
    "libjemalloc.so.2": ("libjemalloc2", f"{LIBRARIES}/libjemalloc.so.2"),
    "liblzf.so.1": ("liblzf1", f"{LIBRARIES}/liblzf.so.1.5"),
}
"""Where each file is: it is a server by its name."""
CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir {folder}
save ""
user default off
user {user} on >{password} ~ccache:* +get +set +select
"""
_TRIES = 10


@dataclass(frozen=True)
class RedisServer:
    """A running server, and the address of its database 3."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/3"


def program(folder: Path) -> Path:
    """The server's program with its libraries beside it, from the host's package registry."""
    site = Site(folder / "site")
    for name, (package, member) in FILES.items():
        source = Source(name, name, (Location(f"apt:{package}", member=member),))
        (folder / name).write_bytes(site.fetch(source).path.read_bytes())
    (folder / "redis-server").chmod(0o755)
    return folder / "redis-server"


@contextmanager
def serve(binary: Path, folder: Path) -> Iterator[RedisServer]:
    """Run it until the block ends."""
    user, _, password = USER.partition(":")
    path = folder / "redis.conf"
    for _ in range(_TRIES):
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = int(door.getsockname()[1])
        path.write_text(
            CONFIGURATION.format(port=port, folder=folder, user=user, password=password)
        )
        environment = {**os.environ, "LD_LIBRARY_PATH": str(binary.parent)}
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen([binary, path], env=environment, stdout=log) as process,
        ):
            try:
                if _answers(process, port):
                    yield RedisServer(port)
                    return
            finally:
                process.terminate()
                process.wait(30)
    raise OSError((folder / "log").read_text())


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it answers, or has ended without its port."""
    while process.poll() is None:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), 1) as made,
                made.makefile("rb") as stream,
            ):
                return Client(made, stream).ask(b"PING").startswith(b"-NOAUTH")
        except OSError:
            time.sleep(0.02)
    return False
