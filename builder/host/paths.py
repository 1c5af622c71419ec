"""Where files are on disk: the only module that knows the cache's layout."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from builder import names, shipped
from builder.errors import EnvironmentFailure, UsageError

APPLICATION = "lvs-fullnat-builder"
CACHE_VARIABLE = "LVS_BUILDER_CACHE"
FOLDER_BYTES = 107 - 17
"""The longest path of a folder of sockets: unix(7)'s limit less a name of 16 bytes."""


@dataclass(frozen=True)
class Project:
    """A checkout: what the user edits and where the results are put."""

    root: Path

    @property
    def specs(self) -> Path:
        return self.root / "specs"

    @property
    def patches(self) -> Path:
        return self.root / "patches"

    @property
    def bases(self) -> Path:
        return self.root / "dockerfiles"

    @property
    def is_laid_out(self) -> bool:
        """Whether the folder is a project at all."""
        return all(folder.is_dir() for folder in (self.specs, self.patches, self.bases))

    def require_checkout(self, what: str) -> None:
        """Raise UsageError if the task ``what`` lacks the program's own sources."""
        if not any((self.root / name).exists() for name in ("tasks.py", "tests")):
            raise UsageError(
                f"{what} works in a checkout alone",
                f"{self.root} has no sources of the program",
                f"clone the toolkit's repository, then ./bootstrap {what}",
            )

    @property
    def dropin(self) -> Path:
        """The folder for sources that are copied by hand (air gap)."""
        return self.root / "sources"

    @property
    def results(self) -> Path:
        """All profiles' artifacts."""
        return self.root / "artifacts"

    @property
    def locks(self) -> Path:
        """Locks between runs with different caches; CI writes nowhere else in a checkout."""
        return self.results / ".locks"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that people edit, and the results: no cache is in these."""
        names = (".git", "builder", "docs", "tests")
        own = (self.specs, self.patches, self.bases, self.dropin, self.results)
        return (*own, *(self.root / name for name in names))

    def artifacts(self, profile: str) -> Path:
        """One profile's artifacts; raises UsageError for an invalid name."""
        return self.results / names.require("profile", profile)


@dataclass(frozen=True)
class Cache:
    """The builder's state between runs, outside every checkout.

    ``ownership`` checks who owns a folder before anything is written there or removed.
    """

    root: Path

    @property
    def blobs(self) -> Path:
        """Verified downloads, each named by its SHA-256."""
        return self.root / "blobs"

    @property
    def aside(self) -> Path:
        """Bytes that failed verification, kept for inspection."""
        return self.root / "aside"

    @property
    def partial(self) -> Path:
        """Downloads under way, resumed by the next run."""
        return self.root / "partial"

    @property
    def apt(self) -> Path:
        """The private apt configuration's state and lists."""
        return self.root / "apt"

    @property
    def stages(self) -> Path:
        """Finished stage outputs: ``<stage>/<key>/``."""
        return self.root / "stages"

    @property
    def scratch(self) -> Path:
        """Running stages' work: ``<profile>/<run>/``, see ``builder.pipeline.run``."""
        return self.root / "scratch"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def ccache(self) -> Path:
        """Objects that this machine has compiled."""
        return self.root / "ccache"

    @property
    def ccache_shared(self) -> Path:
        """Objects of a team's compiler cache, and those that were compiled while it was used."""
        return self.root / "ccache-shared"

    @property
    def ccache_workers(self) -> Path:
        """Objects of builds that workers have helped with."""
        return self.root / "ccache-workers"

    @property
    def engine(self) -> Path:
        """The private engine's data, socket and log."""
        return self.root / "engine"

    @property
    def ledger(self) -> Path:
        """What stages were last run with: ``<profile>/<flavour>-<base>.json``."""
        return self.root / "ledger"

    @property
    def logs(self) -> Path:
        """``<profile>/<run>/<stage>.log``, and the private engine's ``engine.log``."""
        return self.root / "logs"

    @property
    def bench(self) -> Path:
        """The cache and the project that ``invoke bench`` measures."""
        return self.root / "bench"

    def accelerator(self, boot: str) -> Path:
        """What was found out about KVM since this boot of the host."""
        return self.root / f"accelerator-{boot}.json"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders of a cache, except its locks, which are held while the rest is removed."""
        return (
            *(self.blobs, self.aside, self.partial, self.apt, self.stages, self.scratch),
            *(self.ccache, self.ccache_shared, self.ccache_workers),
            *(self.engine, self.ledger, self.logs, self.bench),
        )

    @property
    def notes(self) -> tuple[Path, ...]:
        """The files directly in the cache."""
        return tuple(sorted(self.root.glob("accelerator-*.json")))

    def lock(self, name: str) -> Path:
        return self.locks / f"{name}.lock"


def find_cache() -> Cache:
    """The cache of this user, or the one that ``LVS_BUILDER_CACHE`` names."""
    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named) if named else platformdirs.user_cache_path(APPLICATION, appauthor=False)
    # What is missing before a ".." would be made, and lie elsewhere than what is used then.
    return Cache(Path(os.path.realpath(root)) if ".." in root.parts else root.absolute())


def runtime_folder(name: str) -> Path:
    """This user's own folder for sockets; its path leaves room for their names (unix(7)).

    It is in ``$XDG_RUNTIME_DIR`` if that is set and short enough, otherwise in the folder for
    temporary files.  Raises EnvironmentFailure if no place is short enough, or if another user
    has made it.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    roots = (Path(given), Path(tempfile.gettempdir())) if given else (Path(tempfile.gettempdir()),)
    places = [root / f"{APPLICATION}-{os.getuid()}" / name for root in roots]
    folder = next((at for at in places if len(os.fsencode(at)) <= FOLDER_BYTES), None)
    if folder is None:
        raise EnvironmentFailure(
            f"the path of {places[-1]} is too long for a socket",
            f"it has {len(os.fsencode(places[-1]))} bytes, and {FOLDER_BYTES} is the limit",
            "set XDG_RUNTIME_DIR or TMPDIR to a shorter path",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in (folder.parent, folder):
        if made.is_symlink() or made.stat().st_uid != os.getuid():
            raise EnvironmentFailure(
                f"{made} cannot be used", "it is not this user's own", "remove it"
            )
        made.chmod(0o700)
    return folder


def shells_folder(cache: Cache, profile: str) -> Path:
    """The folder with the sockets of a lab's hosts, for this cache and profile only.

    A cache has one lab of a profile at a time.  The labs of another cache have their own folders,
    so QEMU does not replace or remove their sockets.  Raises EnvironmentFailure as
    ``runtime_folder`` does.
    """
    from builder import digest  # noqa: PLC0415 - only labs need it, and `--list` should be quick

    place = digest.of_bytes(os.fsencode(os.path.realpath(cache.root)))
    return runtime_folder(f"lab-{profile}-{place[:8]}")


def project_around() -> Project | None:
    """The project: the checkout that this code runs from.

    An installed toolkit works on the folder that the user is in, or on the nearest folder above
    it that has what ``lvs-builder init`` lays out.
    """
    if not shipped.is_installed():
        return Project(shipped.folder())
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it has been removed
        return None
    return next((one for one in map(Project, (here, *here.parents)) if one.is_laid_out), None)


def find_project() -> Project:
    """Like ``project_around``, but raises UsageError if there is none."""
    found = project_around()
    if found is None:
        raise UsageError(
            "there is no project here",
            "neither this folder nor one above it has specs/, patches/ and dockerfiles/",
            f"{shipped.COMMAND} init FOLDER && cd FOLDER",
        )
    return found
