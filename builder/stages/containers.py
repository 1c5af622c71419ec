"""Runs a stage's container so that a failed one can be entered afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from builder.engine.spec import ContainerSpec, Mount
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stagename import of_folder
from builder.stages.setting import Setting

NOTE = "container.json"
GIVEN = "given"


def run_container(
    setting: Setting,
    scratch: Path,
    spec: ContainerSpec,
    log: Path,
    see: Callable[[str], None] | None = None,
) -> int:
    """Run ``spec`` and return its exit status; ``scratch`` gets a note of it for ``shell``.

    Files from outside of the cache (scripts of ours, files of the checkout) are copied first: the
    container's user could not read a checkout made under umask 077, and an edit in the meantime
    must not change a build.
    """
    given = scratch / GIVEN
    given.mkdir(exist_ok=True)
    mounts = tuple(
        mount
        if mount.writable or mount.source.is_relative_to(setting.cache.root)
        else replace(mount, source=readable_copy(mount.source, given / str(number)))
        for number, mount in enumerate(spec.mounts)
    )
    limited = replace(_limited(setting, spec), mounts=mounts)
    (scratch / NOTE).write_bytes(msgspec.json.encode(limited, enc_hook=str))
    return setting.engine().run(limited, log=log, on_line=see)


def inputs(setting: Setting, spec: ContainerSpec) -> tuple[Input, ...]:
    """What a container gets, as inputs of its stage, before any of its needs has run.

    Files of the checkout are mounted by absolute paths, and count with their contents.  A relative
    path stands for a file that is not there yet; the need that makes it has its own key.
    """
    limited = _limited(setting, spec)
    mounts = [
        (mount.target, mount.writable, "" if mount.source.is_absolute() else str(mount.source))
        for mount in limited.mounts
    ]
    words = msgspec.json.encode((replace(limited, mounts=()), mounts), enc_hook=str)
    given = [mount for mount in limited.mounts if mount.source.is_absolute()]
    return (
        Input("container", digest.of_text(words.decode())),
        *(entry for mount in given for entry in _contents(mount)),
        *setting.code.alone("builder.engine.config", f"{__name__}:run_container"),
    )


def _limited(setting: Setting, spec: ContainerSpec) -> ContainerSpec:
    return replace(spec, nofile=setting.build.base.settings.nofile)


def _contents(mount: Mount) -> Iterator[Input]:
    """A mounted file, or all files of a mounted folder, by the paths that the container sees."""
    source = mount.source
    for one in digest.files("given", source if source.is_dir() else source.parent, [source]):
        inside = f"/{one.name.partition(':')[2]}" if source.is_dir() else ""
        yield Input(f"given:{mount.target}{inside}", one.value)


def readable_copy(origin: Path, target: Path) -> Path:
    """A copy of a file or a folder that every user can read; links stay links."""
    if origin.is_dir():
        shutil.copytree(origin, target, symlinks=True, copy_function=_copy_file)
        for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
            if not folder.is_symlink():
                folder.chmod(0o755)
    else:
        _copy_file(origin, target)
    return target


def _copy_file(origin: str | Path, target: str | Path) -> None:
    shutil.copyfile(origin, target)
    executable = Path(origin).stat().st_mode & 0o100
    Path(target).chmod(0o755 if executable else 0o644)


class Note(msgspec.Struct, frozen=True):
    """How a container was run: ``profile`` and ``run`` say by whom, ``stage`` for what."""

    path: Path

    @property
    def stage(self) -> str:
        return of_folder(self.path.parts[-3])

    @property
    def run(self) -> str:
        return self.path.parts[-4]

    @property
    def profile(self) -> str:
        return self.path.parts[-5]

    def read(self) -> ContainerSpec:
        """Raises FileNotFoundError if a sweep was quicker."""
        return msgspec.json.decode(self.path.read_bytes(), type=ContainerSpec, dec_hook=_path)


def noted(scratch: Path) -> list[Note]:
    """The containers of runs that did not succeed or are still running, the last one first."""
    found = [(path.stat().st_mtime, path) for path in scratch.glob(f"*/*/*/work/{NOTE}")]
    return [Note(path) for _, path in sorted(found, reverse=True)]


def _path(kind: type, value: object) -> Path:
    return Path(str(value))
