"""Running containers: the one function that every build goes through."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound

from builder.console import Console
from builder.engine.config import container_config, give_to_builder
from builder.engine.failure import translated
from builder.engine.identity import LABEL, parse_owner, this_process
from builder.engine.image import import_tar, pull_image
from builder.engine.location import Endpoint, open_client
from builder.engine.output import Listener, OutputLog
from builder.engine.spec import ContainerSpec
from builder.engine.terminal import converse
from builder.errors import EnvironmentFailure, Interrupted

CLOSE_SECONDS = 20.0
HASTE_SECONDS = 0.3  # for a user who waits at the terminal
OOM_SECONDS = 1.0  # until the engine has heard of it


class Engine:
    """A connection to a container engine; ``run`` may be called from several threads."""

    def __init__(self, endpoint: Endpoint, version: str) -> None:
        self.endpoint = endpoint
        self._version = version
        self._owner = this_process()
        self._closed = threading.Event()
        self._closing: threading.Thread | None = None
        with self._client() as client:
            options = client.info().get("SecurityOptions") or []
            self._rootless = any("rootless" in option for option in options)
            self._podman = any(
                "Podman" in str(part.get("Name")) for part in client.version().get("Components", [])
            )

    @contextmanager
    def _client(self, log: Path | None = None) -> Iterator[APIClient]:
        # One client per call: a session of the SDK must not be shared between threads.
        with translated(self.endpoint, log):
            client = open_client(self.endpoint, self._version)
            try:
                yield client
            finally:
                client.close()

    def run(self, spec: ContainerSpec, *, log: Path, on_line: Listener | None = None) -> int:
        """Run a container to its end, remove it, and return its exit status.

        Its output is appended to ``log`` byte by byte and given to ``on_line`` line by
        line.  Raises EnvironmentFailure if the container cannot be started, ran out of
        memory, or the engine went away; Interrupted if ``close`` ended it.
        """
        with (
            OutputLog(log, on_line, spec.log_bytes) as output,
            self._client(log) as client,
            self._container(client, spec, terminal=False) as container,
        ):
            frames = client.attach(container, stdout=True, stderr=True, stream=True, demux=True)
            client.start(container)
            try:
                for stdout, stderr in frames:
                    output.write(stdout, stderr)
            except EnvironmentFailure:  # no space for the log
                # An engine that waits for a reader cannot remove the container.
                with contextlib.suppress(OSError, DockerException):
                    frames.close()
                raise
            status = self._wait(client, container, log)
            if status != 0:
                self._require_memory(client, container, spec, log)
            return status

    def _wait(self, client: APIClient, container: str, log: Path) -> int:
        """The exit status; raises Interrupted if ``close`` ended or removed the container."""
        try:
            status = int(client.wait(container, timeout=None)["StatusCode"])
        except APIError:  # it has been removed before it was asked for
            self._require_open(log)
            raise
        self._require_open(log)
        return status

    def _require_open(self, log: Path) -> None:
        if self._closed.is_set():
            raise Interrupted("the container was stopped", "the run is ending", "", log=log)

    def shell(self, spec: ContainerSpec) -> int:
        """Run a container on the user's terminal; its exit status."""
        with (
            self._client() as client,
            self._container(client, spec, terminal=True) as container,
        ):
            converse(client, container)
            return int(client.wait(container, timeout=None)["StatusCode"])

    @contextmanager
    def _container(
        self, client: APIClient, spec: ContainerSpec, *, terminal: bool
    ) -> Iterator[str]:
        if os.getuid() == 0 and not self._rootless:
            give_to_builder(spec)
        config = container_config(
            client,
            spec,
            label=self._owner.label,
            rootless=self._rootless,
            podman=self._podman,
            terminal=terminal,
        )
        container = str(client.create_container_from_config(config)["Id"])  # type: ignore[no-untyped-call]
        try:
            yield container
        finally:
            _remove(client, container)

    def _require_memory(
        self, client: APIClient, container: str, spec: ContainerSpec, log: Path
    ) -> None:
        if not _ran_out_of_memory(client, container):
            return
        limit = (
            f"its limit was {spec.memory / 2**20:.0f} MiB" if spec.memory else "no limit was set"
        )
        raise EnvironmentFailure(
            f"{Path(spec.argv[0]).name} ran out of memory in its container",
            f"the kernel ended a process of it; {limit}",
            "add memory or run fewer jobs at once (--jobs 1)",
            log=log,
        )

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds image ``tag``."""
        with self._client() as client:
            try:
                client.inspect_image(tag)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
            return True

    def import_image(self, tar: Path, tag: str, changes: tuple[str, ...] = ()) -> None:
        """Import a root file system in ``tar`` as image ``tag``; ``changes``: Dockerfile lines."""
        with self._client() as client:
            import_tar(client, tar, tag, changes)

    def pull(self, reference: str) -> None:
        """Have the engine fetch ``reference`` (NAME@sha256:DIGEST) from its registry.

        Raises SourceUnreachable with the engine's message if it cannot.
        """
        with self._client() as client:
            pull_image(client, reference)

    def remove_image(self, tag: str) -> None:
        """Remove image ``tag`` if it exists."""
        with self._client() as client, contextlib.suppress(ImageNotFound):
            client.remove_image(tag, force=True)

    def sweep(self, console: Console) -> None:
        """Remove containers of builders that no longer run (killed, or before a reboot)."""
        with self._client() as client:
            for container in client.containers(all=True, filters={"label": LABEL}):
                owner = parse_owner(container["Labels"][LABEL])
                if owner and owner.is_gone:
                    console.say(f"Removing a container of a builder that was killed ({owner.pid})")
                    _remove(client, container["Id"])

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """End every container of this process; ``run`` in other threads raises Interrupted.

        Waits at most ``patience`` seconds for the engine; a later stop or sweep removes what is
        left.
        """
        self._closed.set()
        if self._closing is None or not self._closing.is_alive():
            self._closing = threading.Thread(target=self._remove_mine, daemon=True)
            self._closing.start()
        self._closing.join(patience)

    def close_soon(self) -> None:
        """As ``close``, without waiting for an engine that hangs."""
        self.close(HASTE_SECONDS)

    def _remove_mine(self) -> None:
        mine = {"label": f"{LABEL}={self._owner.label}"}
        # An engine that is gone has nothing to remove, or the next run sweeps it.
        with contextlib.suppress(EnvironmentFailure), self._client() as client:
            for container in client.containers(all=True, filters=mine):
                _remove(client, container["Id"])


def _ran_out_of_memory(client: APIClient, container: str) -> bool:
    """Whether the kernel ended a process for its memory.

    The engine hears of this and of the container's end from two sides, in any order.
    """
    deadline = time.monotonic() + OOM_SECONDS
    while not client.inspect_container(container)["State"].get("OOMKilled"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _remove(client: APIClient, container: str) -> None:
    # Another thread may be removing it, or the engine is gone: the container ends either way.
    with contextlib.suppress(APIError, requests.RequestException):
        client.remove_container(container, force=True, v=True)
