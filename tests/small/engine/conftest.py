"""A real engine for the tests: a private one in a cache of its own, and a tiny image."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.console import Console
from builder.engine import connect
from builder.engine.container import Engine
from builder.host.paths import Cache

IMAGE = "lvs-builder/tiny:1"
APPLETS = (
    "sh",
    "cat",
    "id",
    "dd",
    "sleep",
    "touch",
    "ls",
    "hostname",
    "ps",
    "printf",
    "tr",
    "stty",
)


def make_tiny(target: Path) -> None:
    """A root file system of one static busybox."""
    busybox = shutil.which("busybox")
    assert busybox, "apt-get install busybox-static"
    with tarfile.open(target, "w") as tar:
        for name in ("bin", "tmp", "proc", "dev", "sys", "etc", "home"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        program = Path(busybox).read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
        for name in APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.tar"
    make_tiny(path)
    return path


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's own engine is not what is tested."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def private_only(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a private engine needs root and dockerd")
    monkeypatch.setattr("builder.engine.discovery.usual_endpoints", lambda: iter(()))


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Engine]:
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a private engine needs root and dockerd")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
            patch.delenv(name, raising=False)
        patch.setattr("builder.engine.discovery.usual_endpoints", lambda: iter(()))
        with connect(Cache(tmp_path_factory.mktemp("shared")), Console()) as engine:
            engine.import_image(tiny, IMAGE)
            yield engine
