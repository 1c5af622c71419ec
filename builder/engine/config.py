"""The isolation of containers, the same for every run."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.types import HostConfig, LogConfig, Ulimit
from docker.types import Mount as BindMount

from builder.engine.identity import LABEL
from builder.engine.spec import ContainerSpec, Mount
from builder.errors import EnvironmentFailure
from builder.host.builduser import unused_number

HOSTNAME = "lvs-builder"


def container_config(
    client: APIClient,
    spec: ContainerSpec,
    *,
    label: str,
    rootless: bool,
    podman: bool,
    terminal: bool,
) -> dict[str, Any]:
    """The engine's form of a spec: no network, one fixed host name, and no privileges."""
    host: HostConfig = client.create_host_config(
        network_mode="none",
        cap_drop=[] if spec.root else ["ALL"],
        security_opt=[] if spec.root else ["no-new-privileges"],
        init=True,
        mounts=[_mount(mount) for mount in spec.mounts],
        tmpfs=dict(spec.tmpfs),
        read_only=spec.read_only,
        mem_limit=spec.memory,
        # Without this, as much swap as memory is allowed on top of it.
        memswap_limit=spec.memory,
        pids_limit=spec.pids,
        ulimits=[_open_files(*spec.nofile)],
        # The output goes to the stage's log; the engine need not keep it a second time.
        log_config=LogConfig(type="none"),
    )
    if rootless and podman and not spec.root:
        host["UsernsMode"] = "keep-id"
    config: dict[str, Any] = client.create_container_config(
        spec.image,
        list(spec.argv),
        hostname=HOSTNAME,
        user=container_user(spec, rootless=rootless, podman=podman),
        environment=dict(spec.env),
        working_dir=spec.workdir,
        labels={LABEL: label},
        host_config=host,
        stdin_open=terminal,
        tty=terminal,
    )
    # The image's own entry point must not run.
    config["Entrypoint"] = []
    return config


def _open_files(soft: int, hard: int) -> Ulimit:
    """The limit of open files, at most what this host allows; with more, no container starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    return Ulimit(name="nofile", soft=soft, hard=hard)


def container_user(spec: ContainerSpec, *, rootless: bool, podman: bool) -> str:
    """The user that the program runs as, so that its files belong to the caller.

    Root gives its writable folders to an unused user id, and the program runs with that id.  For
    other users it runs with their own id.  Rootless Docker maps the container's root, which has no
    capabilities, to the caller, and every other user to an id that the caller may not own.
    Rootless Podman's keep-id maps the caller to the caller's own id.
    """
    if spec.root or (rootless and not podman):
        return "0:0"
    if os.getuid() == 0:
        number = unused_number()
        return f"{number}:{number}"
    return f"{os.getuid()}:{os.getgid()}"


def _mount(mount: Mount) -> BindMount:
    if not mount.source.exists():
        raise EnvironmentFailure(
            f"{mount.target} cannot be given to the container",
            f"{mount.source} does not exist",
            "run the command again; if this stays, run `invoke clean`",
        )
    source = str(mount.source.resolve())
    return BindMount(mount.target, source, type="bind", read_only=not mount.writable)


def give_to_builder(spec: ContainerSpec) -> None:
    """Give writable mounts to the builds' user, unless their top folder already belongs to it.

    Links themselves change their owner; they are never followed.
    """
    number = 0 if spec.root else unused_number()
    for mount in spec.mounts:
        if mount.writable:
            _give(mount.source, number)


def _give(top: Path, number: int) -> None:
    if not top.exists() or top.stat().st_uid == number:
        return
    if top.is_dir() and not top.is_symlink():
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                os.lchown(Path(folder) / name, number, number)
    # Last, so that an interrupted walk is done again.
    os.chown(top, number, number)
