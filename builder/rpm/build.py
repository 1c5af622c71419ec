"""Builds a component's RPMs from its prepared tree, in a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from builder.console import Console, Progress
from builder.engine.spec import ContainerSpec, Mount, RunContainer
from builder.errors import BuildError
from builder.host import buildlog
from builder.profile.build import BuildPart
from builder.rpm import compiled
from builder.rpm.compiled import CallCounts
from builder.rpm.processors import ProcessorSeconds
from builder.rpm.tree import RpmTree, lay, write_spec

HOME = PurePosixPath("/home/builder")
SCRIPT = Path(__file__).parent / "container" / "rpmbuild.sh"
CCACHE_SIZE = "5G"
CALLS = "ccache-calls"
RELAY = "/relay"
DISTCC_PORT = 3632
# The relay answers in its own time, and says at once that it has lost its store.
REMOTE_STORAGE = "redis+unix:{}|connect-timeout=2000|operation-timeout=20000"
_CPP = 2  # sources that are preprocessed at a time, for each that is compiled here
COMPILED = ("  CC ", "  CC [M] ", "  LD [M] ", "  AS ", "  AR ", "  CC\t", "  CXX ")


class FarmSlots(msgspec.Struct, frozen=True):
    """Jobs at a time: that workers take (``away``), that are compiled ``here`` meanwhile, and that
    this machine takes if no worker can (``most``)."""

    away: int = 0
    here: int = 1
    most: int = 1


class OtherMachines(msgspec.Struct, frozen=True):
    """What a build may use of other machines, all of it through one socket.

    ``socket``: in a folder of its own.  ``has_objects``: the team's compiler cache is there.
    """

    socket: Path
    has_objects: bool
    slots: FarmSlots


class BuildPlan(msgspec.Struct, frozen=True):
    """What one build needs; all paths are the host's.

    ``prepared``: the patched tree, mounted read-only where %prep would have put it, so that %prep
    is not run; None if it is to be run, or if there is no source.  ``sources``: the folder that
    becomes SOURCES.  ``needs``: folders with the RPMs of the components that it is built with, by
    component.  ``jobs``: the folder with the job budget's pipe.  ``expected``: how many objects the
    last build compiled, if known.  ``options``: further options of rpmbuild.  ``explain``: cause
    and hint from the log of a failed build, if the manner of packing knows more than ``buildlog``
    does.  ``others``: None if no other machine is used.
    """

    part: BuildPart
    image: str
    spec: str
    sources: Path
    prepared: Path | None
    ccache: Path
    needs: Mapping[str, Path]
    jobs: Path
    expected: int | None
    options: tuple[str, ...] = ()
    explain: Callable[[Path], tuple[str, str] | None] = lambda _: None
    others: OtherMachines | None = None

    @property
    def spec_name(self) -> str:
        return f"{self.part.package}.spec"

    @property
    def unpacked(self) -> str:
        """The folder in BUILD that %prep makes."""
        return f"{self.part.package}-{self.part.version}"


class Built(msgspec.Struct, frozen=True):
    """The RPMs of one component, and how many objects were made for them.

    ``calls``: where these came from, None without ccache.  ``processors``: what they cost.
    """

    binary: tuple[Path, ...]
    source: tuple[Path, ...]
    objects: int
    calls: CallCounts | None
    processors: ProcessorSeconds


def container_spec(plan: BuildPlan, tree: RpmTree) -> ContainerSpec:
    """The container that builds the spec of ``tree``; relative paths are kept as they are."""
    top = HOME / "rpmbuild"
    mounts = [
        Mount(tree.home, str(HOME), writable=True),
        Mount(plan.sources, str(top / "SOURCES")),
        Mount(plan.ccache, "/ccache", writable=True),
        Mount(plan.jobs, "/jobs", writable=True),
        Mount(SCRIPT, "/usr/local/bin/build-rpms"),
        *(Mount(folder, f"/needs/{name}") for name, folder in sorted(plan.needs.items())),
    ]
    options = plan.options
    if plan.prepared is not None:
        options = ("--noprep", "--noclean", *options)
        mounts.append(Mount(plan.prepared, str(top / "BUILD" / plan.unpacked)))
    if plan.others is not None:
        mounts.append(Mount(plan.others.socket.parent, RELAY))
    return ContainerSpec(
        image=plan.image,
        argv=("/bin/sh", "/usr/local/bin/build-rpms", f"{top}/SPECS/{plan.spec_name}", *options),
        mounts=tuple(mounts),
        env=(
            ("HOME", str(HOME)),
            ("PATH", "/usr/local/bin:/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("CCACHE_DIR", "/ccache"),
            ("CCACHE_MAXSIZE", CCACHE_SIZE),
            ("CCACHE_COMPILERCHECK", "content"),
            # The compiler's own list of headers tells what a file depends on, so that a
            # miss does not cost a run of the preprocessor.
            ("CCACHE_DEPEND", "1"),
            ("CCACHE_STATSLOG", str(HOME / CALLS)),
            *_of_others(plan.others),
        ),
        workdir=str(HOME),
    )


def _of_others(others: OtherMachines | None) -> Iterator[tuple[str, str]]:
    """The variables that let ccache and distcc use other machines."""
    if others is None:
        return
    socket = f"{RELAY}/{others.socket.name}"
    if others.has_objects:
        yield "CCACHE_REMOTE_STORAGE", REMOTE_STORAGE.format(socket)
    slots = others.slots
    if slots.away:
        limits = f"--localslots={slots.most} --localslots_cpp={_CPP * slots.most}"
        workers = f"127.0.0.1:{DISTCC_PORT}/{slots.away},lzo"
        local = f" localhost/{slots.here}" if slots.here else ""
        yield "CCACHE_PREFIX", "distcc"
        yield "DISTCC_HOSTS", f"{limits} {workers}{local}"
        yield "DISTCC_DIR", str(HOME / ".distcc")
        # The relay knows which worker is not to be asked.  Without a pause, distcc would try again
        # for ever what no worker can do.
        yield "DISTCC_BACKOFF_PERIOD", "2"
        yield "RELAY_SOCKET", socket
        yield "RELAY_PORT", str(DISTCC_PORT)


class _Counter:
    """Counts compiled objects in a build's output."""

    def __init__(self, progress: Progress) -> None:
        self.objects = 0
        self._progress = progress

    def see(self, line: str) -> None:
        if line.startswith(COMPILED):
            self.objects += 1
            self._progress.advance()


def build(
    plan: BuildPlan,
    *,
    scratch: Path,
    log: Path,
    run: RunContainer,
    console: Console,
) -> Built:
    """Build the component's binary and source RPMs.

    Raises BuildError with the compiler's or rpmbuild's words, also when rpmbuild says that it
    succeeded but an RPM that the profile names is missing.
    """
    tree = lay(scratch / "home", HOME)
    write_spec(tree.specs / plan.spec_name, plan.spec)
    if plan.prepared is not None:
        (tree.build / plan.unpacked).mkdir(exist_ok=True)
    spec = container_spec(plan, tree)
    label = f"build {plan.part.package}"
    with console.progress(label, plan.expected, "objects") as progress:
        counter = _Counter(progress)
        status = run(spec, log, counter.see)
    if status != 0:
        cause, hint = plan.explain(log) or (
            buildlog.cause(log),
            "fix the error in the log, then run the same command again; finished stages are kept",
        )
        name = f"{plan.part.package}-{plan.part.version}"
        raise BuildError(f"building {name} failed", cause, hint, log=log)
    built = Built(
        tuple(sorted(tree.rpms.rglob("*.rpm"))),
        tuple(sorted(tree.srpms.glob("*.src.rpm"))),
        counter.objects,
        compiled.read(tree.home / CALLS),
        ProcessorSeconds.read(tree.home),
    )
    _demand(plan.part, built, log)
    return built


def _demand(part: BuildPart, built: Built, log: Path) -> None:
    """All RPMs that the profile names must be there, and the source RPM."""
    names = {path.name for path in built.binary}
    missing = [
        package
        for package in part.packages
        if not any(name.startswith(f"{package}-{part.version}-") for name in names)
    ]
    if not built.source:
        missing.append(f"{part.package} source RPM")
    if missing:
        raise BuildError(
            f"rpmbuild succeeded, but {', '.join(missing)} is not there",
            f"it made: {', '.join(sorted(names)) or 'nothing'}",
            "compare %files of the spec with packages in profile.toml",
            log=log,
        )
