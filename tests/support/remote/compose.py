"""docs/how-to/scale/compose as a server has it, with images of Debian's nginx and Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.support.base.userland import LINKS, libraries, take
from tests.support.engine.networked import NetworkedEngine, engine
from tests.support.relay import redis
from tests.support.remote import nginx
from tests.support.remote.store import USER
from tests.world import ROOT

PAGE = ROOT / "docs/how-to/scale"
IMAGES = {"STAGES_IMAGE": "stages:test", "OBJECTS_IMAGE": "objects:test"}


@dataclass(frozen=True)
class Server:
    """A server: its folder with compose.yaml, and its engine."""

    folder: Path
    engine: NetworkedEngine

    def compose(self, *words: str) -> str:
        """Run docker-compose there; returns what it says.  Raises CalledProcessError."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **IMAGES,
            "DOCKER_HOST": self.engine.url,
            "COMPOSE_PROJECT_NAME": "stages",
        }
        done = subprocess.run(
            ("docker-compose", *words),
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, service: str) -> dict[str, str]:
        """What the kernel says of a service's process (proc(5), status)."""
        text = self._see(service, "status")
        return dict(line.split(":\t", 1) for line in text.splitlines())

    def mounts(self, service: str) -> list[str]:
        """The mounts of a service's process (proc(5), mounts)."""
        return self._see(service, "mounts").splitlines()

    def _see(self, service: str, name: str) -> str:
        container = self.compose("ps", "--quiet", service).strip()
        with closing(docker.DockerClient(self.engine.url)) as client:
            pid = client.api.inspect_container(container)["State"]["Pid"]
        return (self.engine.proc / str(pid) / name).read_text()


def prepare(folder: Path, typed: str) -> subprocess.CompletedProcess[str]:
    """Run prepare.sh there; ``typed``: what it reads for the password."""
    argv = ["sh", "prepare.sh"]
    return subprocess.run(
        argv, cwd=folder, input=typed, capture_output=True, text=True, check=False
    )


def copy(folder: Path) -> None:
    """Copy the files of the page into a new folder."""
    shutil.copytree(PAGE / "compose", folder)
    shutil.copy(PAGE / "nginx.conf", folder)


@contextmanager
def running(scratch: Path, certificate: Path, key: Path) -> Iterator[Server]:
    """A server in a network of its own, until the block ends."""
    folder = scratch / "server"
    copy(folder)
    (folder / "secrets").mkdir()
    shutil.copy(certificate, folder / "secrets/tls.pem")
    shutil.copy(key, folder / "secrets/tls.key")
    made = prepare(folder, USER.partition(":")[2])  # without a newline
    assert made.returncode == 0, made.stderr
    with engine(scratch / "e") as started:
        _import_images(scratch, started)
        server = Server(folder, started)
        try:
            server.compose("up", "--detach")
            yield server
        finally:
            server.compose("down", "--timeout", "5")


def _import_images(scratch: Path, started: NetworkedEngine) -> None:
    """The two programs of Debian's packages, each with the libraries that it needs."""
    for name in ("nginx", "redis"):
        (scratch / name).mkdir()
    web = _root(scratch / "web", nginx.program(scratch / "nginx"))
    data = _root(scratch / "data", redis.program(scratch / "redis"))
    with closing(docker.DockerClient(started.url)) as client:
        for image, root in zip(IMAGES.values(), (web, data), strict=True):
            tar = root.with_suffix(".tar")
            subprocess.run(["tar", "-C", str(root), "-cf", str(tar), "."], check=True)
            repository, _, tag = image.partition(":")
            client.api.import_image(src=str(tar), repository=repository, tag=tag)


def _root(root: Path, program: Path) -> Path:
    for name in ("tmp", "etc", "usr/bin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True)
    for name, aim in LINKS.items():
        (root / name).symlink_to(aim)
    (root / "tmp").chmod(0o1777)
    beside = list(program.parent.glob("*.so.*"))
    for file in (program, *beside):
        for library in libraries(file):
            take(library, root)
    for path in beside:
        shutil.copy(path, root / "usr/lib")
    shutil.copy(program, root / "usr/bin")
    return root
