"""What a command asks for, and the build that it means."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder import names
from builder.base.model import find as find_base
from builder.base.model import load_named
from builder.errors import UsageError
from builder.host.paths import Project
from builder.pipeline.stage import COMPILER_CACHE, WORKERS
from builder.profile import load, pinned, references
from builder.profile.build import Build, resolve
from builder.profile.model import Profile

MOST_JOBS = 1024


class Request(msgspec.Struct, frozen=True):
    """What the user asked for on the command line; empty means the profile's default.

    ``locked``: unpinned sources are refused, as they always are in CI.
    ``hermetic``: a base that is not the locked one is refused.
    ``variants``: of sources, each as ``SOURCE=VARIANT``.
    ``dry``: nothing is run; what would be is told.
    ``alone``: no finished stage of another machine is used, and nothing that was made of it.
    ``own_objects``: the same for objects of a team's compiler cache.
    ``workers``: that compile for this machine, separated by commas, instead of those of the
    configuration.  ``own_compilers``: no worker is used, and nothing that one has compiled.
    ``behind``: versions in profile.toml may be others than the pinned ones.
    """

    profile: str
    flavour: str = ""
    base: str = ""
    jobs: int = 0
    locked: bool = False
    update: bool = False
    hermetic: bool = False
    variants: tuple[str, ...] = ()
    dry: bool = False
    alone: bool = False
    own_objects: bool = False
    workers: str | None = None
    own_compilers: bool = False
    behind: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.own_compilers:
            raise UsageError(
                "--workers and --no-workers contradict each other",
                "one names machines that compile, the other wants none",
                "leave one of them out",
            )

    @property
    def refused(self) -> frozenset[str]:
        """Origins of objects that may be in no output."""
        asked = ((COMPILER_CACHE, self.own_objects), (WORKERS, self.own_compilers))
        return frozenset(origin for origin, is_refused in asked if is_refused)


def read_jobs(word: str | None) -> int:
    """The number that ``--jobs`` was given, 0 for None.  Raises UsageError for what is none."""
    if word is None:
        return 0
    is_short_number = word.isascii() and word.isdecimal() and len(word) <= len(str(MOST_JOBS))
    number = int(word) if is_short_number else 0
    if not 1 <= number <= MOST_JOBS:
        raise UsageError(
            f"--jobs {names.shown(word)} is not a number of programs",
            f"it is a whole number from 1 to {MOST_JOBS}",
            "--jobs 2, or leave it out: one for each processor",
        )
    return number


def choose(project: Project, request: Request) -> Build:
    """What a request means: its profile in one flavour and base, whose files are read here.

    Raises UsageError for names that do not exist, and for a file that is malformed.
    """
    profile = load.load(project.specs, request.profile)
    references.require(project, profile)
    _refuse_unused_series(project.patches / profile.name, profile)
    flavour = names.choose(
        "flavour",
        request.flavour or profile.default_flavour,
        profile.flavour,
        "--flavour names a table [flavour.NAME] of profile.toml",
        of=f"profile {profile.name}",
    )
    asked = request.base
    name = find_base(project.bases, asked) if asked else references.base_of(project, profile)
    base = load_named(project.bases, name, profile.init)
    chosen = _with_variants(profile, request.variants)
    if not (request.behind or request.update):  # the latter pins anew
        pinned.require(project, chosen)
    return resolve(chosen, flavour, base)


def _refuse_unused_series(folder: Path, profile: Profile) -> None:
    """Raise UsageError for a folder of patches that no component of the profile applies."""
    parts = profile.component.values()
    added = {
        name
        for part in parts
        for one in (*part.flavour.values(), *part.base.values())
        for name in one.series
    }
    used = {*profile.component, *added}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and path.name not in used and not path.name.startswith("."):
            raise UsageError(
                f"the patches of {path} would never be applied",
                f"profile {profile.name} has no component {names.shown(path.name)}, and no "
                f"component adds this folder as a series{names.nearest(path.name, used)}",
                "give the folder its component's name, or remove it",
            )


def _with_variants(profile: Profile, wanted: tuple[str, ...]) -> Profile:
    """The profile with one variant alone of each source that is named."""
    sources = dict(profile.source)
    for word in wanted:
        name, equals, variant = word.partition("=")
        rule = "--variant takes SOURCE=VARIANT, separated by commas"
        names.choose("source", name, sources, rule, of=f"profile {profile.name}")
        known = sources[name].variants
        if not equals:
            raise UsageError(f"--variant {name} names no variant", rule, _listed(name, known))
        names.choose("variant", variant, known, rule, of=f"source {name}")
        sources[name] = sources[name].alone(variant)
    return msgspec.structs.replace(profile, source=sources)


def _listed(name: str, variants: tuple[str, ...]) -> str:
    return "one of: " + ", ".join(f"--variant {name}={variant}" for variant in variants)
