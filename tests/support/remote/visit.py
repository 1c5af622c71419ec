"""Machines of a team that use the server of a compose file, in a process in its network.

``python -m tests.support.remote.visit FOLDER`` prints a line of JSON (``Visit``).
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import msgspec

from builder.console import Console
from builder.relay.model import CompilerCache
from builder.relay.relay import Relay
from builder.remote.model import Password
from tests.support.relay.client import KEY, connect
from tests.support.relay.doors import door_to
from tests.support.remote import keys
from tests.support.remote.compose import Server
from tests.support.remote.machines import Machine, reader, writer
from tests.support.remote.store import USER
from tests.world import ROOT

STAGES, OBJECTS = "https://127.0.0.1/", "rediss://127.0.0.1:6379/0"
COUNTED = ("found", "missing", "stored", "errors", "received", "sent")


class Visit(msgspec.Struct):
    """``maker``, ``other``, ``wrong``: the stages that a machine has run which pushes, one that
    reads, and one that has a wrong password.  ``stored``, ``read``, ``refused``: counts of objects,
    of a machine with the password, of one that reads, and of one that tries to write without it.
    ``said``: warnings.
    """

    maker: list[str]
    other: list[str]
    wrong: list[str]
    stored: dict[str, int]
    read: dict[str, int]
    refused: dict[str, int]
    said: str


def visit(server: Server, folder: Path, authority: Path) -> Visit:
    """Do it there; ``folder``: the machines' own, which a second visit finds as they were."""
    argv = server.engine.inside(sys.executable, "-m", __name__, str(folder))
    environment = {"SSL_CERT_FILE": str(authority), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Visit)


def _exchange(
    said: io.StringIO, folder: Path, password: Password | None, *, pushes: bool, puts: bool
) -> dict[str, int]:
    relay = Relay(CompilerCache(OBJECTS, pushes, password), Console(said, interactive=False))
    with door_to(relay, folder) as (path, traffic), connect(path) as client:
        client.get(KEY)
        if puts:
            client.put(KEY)
    relay.close()
    counted = ((name, getattr(traffic, name)) for name in COUNTED)
    return {name: count for name, count in counted if count}


def main(folder: Path) -> None:
    said = io.StringIO()
    pair = keys.make(folder / "keys")
    made = {name: Machine(folder / name, said=said) for name in ("maker", "other", "wrong")}
    made["wrong"].run(writer(STAGES, pair, "ci:wrong"))
    made["maker"].run(writer(STAGES, pair))
    made["other"].run(reader(STAGES, pair))
    # A reader asks first: what it wants to write is not there yet.
    refused = _exchange(said, folder / "1", None, pushes=True, puts=True)
    stored = _exchange(said, folder / "2", Password(USER), pushes=True, puts=True)
    read = _exchange(said, folder / "3", None, pushes=False, puts=False)
    ran = {name: machine.ran for name, machine in made.items()}
    sys.stdout.buffer.write(
        msgspec.json.encode(
            Visit(**ran, stored=stored, read=read, refused=refused, said=said.getvalue())
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
