"""``invoke bench --scale``: what other machines save this one, in processor seconds.

All machines are this one: a store and two workers on loopback, with caches of their own.  Therefore
what counts is the time of the machine that builds: its container's, by the kernel's count, and the
builder's own.  Wall time would say nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.commands import bench_store, startup
from builder.commands.bench import ALONE, Workbench, change_line, run_builder, used, workbench
from builder.commands.startup import Figure
from builder.configuration.places import VARIABLE
from builder.errors import EnvironmentFailure
from builder.host import process
from builder.host.removal import remove
from builder.pipeline.stagename import StageKind, folder_of
from builder.place import Place
from builder.report import publish, record

NO_STAGES, NO_OBJECTS, NO_WORKERS = ALONE
WORKERS, SLOTS = 2, 4
CLOSED = "127.0.0.1:9"
"""Where nobody listens: the port of the discard service (RFC 863)."""
_START_SECONDS = 120.0
_STORE, _FORGOTTEN = "store", "forgotten"


@dataclass(frozen=True)
class ScaleRun:
    """One build of the kernel, in processor seconds of this machine.

    ``make``: up to the end of %build.  ``all``: of the whole container.  ``builder``: of the
    command.
    """

    make: float
    all: float
    builder: float

    @property
    def total(self) -> float:
        """Of the container and the command."""
        return self.all + self.builder


def measure(profile: str, flavour: str, place: Place) -> str:
    """Run all measurements; returns a Markdown table.

    Compiles the kernel four times.
    """
    with workbench(profile, flavour, place) as bench, ExitStack() as stack:
        for name in (_STORE, _FORGOTTEN):
            remove(bench.folder / name, bench.folder)
            stack.callback(remove, bench.folder / name, bench.folder)
        url = stack.enter_context(bench_store.serving(bench.folder / _STORE))
        scale = _Scale(bench)
        scale.forget()
        cold = scale.build("cold, alone", "", *ALONE)
        scale.forget()
        nowhere = scale.build("cold, nothing reachable", scale.unreachable())
        scale.forget()
        scale.build("cold, filling the stores", scale.stores(url, writes=True), NO_WORKERS)
        scale.forget()
        objects = scale.build("objects from the store", scale.stores(url), NO_STAGES, NO_WORKERS)
        scale.forget()
        scale.forget_trees()
        stages = scale.build("RPMs from the store", scale.stores(url), NO_WORKERS)
        scale.forget()
        hosts = ",".join(stack.enter_context(scale.worker()) for _ in range(WORKERS))
        away = scale.build("two workers", "", NO_STAGES, NO_OBJECTS, "--workers", hosts)
        scale.forget_rpms()
        # Its objects are here from now on, whoever has compiled them.
        scale.build("objects of this machine", scale.stores(url), NO_STAGES, NO_WORKERS)
        change_line(bench)
        changed = scale.build("one changed line", scale.stores(url), NO_STAGES, NO_WORKERS)
    return startup.table(
        [
            Figure("cold build of the kernel, `make`", f"{cold.make:.0f} s", ""),
            Figure("the same, all of it", f"{cold.total:.0f} s", ""),
            _ratio("objects from a compiler cache: `make`", objects.make, cold.make, 0.1),
            _ratio("the same, all of it", objects.total, cold.total, 0.2),
            _ratio("RPMs from a stage store", stages.total, cold.total, 0.02),
            _ratio(f"{WORKERS} workers: `make`", away.make, cold.make, 0.55),
            _ratio("the same, all of it", away.total, cold.total, 0.55),
            _ratio("everything configured, nothing reachable", nowhere.total, cold.total, 1.03),
            _ratio("one changed line", changed.total, cold.total, 0.08),
        ]
    )


def _ratio(what: str, one: float, cold: float, bound: float) -> Figure:
    return Figure(what, f"{one / cold:.3f} ({one:.0f} s)", f"{bound}")


@dataclass
class _Scale:
    """The measurements' machine."""

    bench: Workbench

    def build(self, what: str, configuration: str, *options: str) -> ScaleRun:
        """Build the kernel with a user's configuration.  Raises BuildError if that fails."""
        self.bench.place.console.say(what)
        file = self.bench.folder / "config.toml"
        file.write_text(configuration, encoding="utf-8")
        before = used()
        run_builder(self.bench, (*self.bench.words, *options), self._environment(file))
        own = used() - before
        if self._was_taken():
            return ScaleRun(0.0, 0.0, own)
        facts = self.bench.build_facts()
        if facts.make_cpu_seconds is None or facts.cpu_seconds is None:
            raise EnvironmentFailure(
                "this kernel does not count a container's processor time",
                "neither cpu.stat nor cpuacct.usage can be read in a container",
                "measure on a host with control groups of version 2",
            )
        return ScaleRun(facts.make_cpu_seconds, facts.cpu_seconds, own)

    def stores(self, url: str, *, writes: bool = False) -> str:
        """A configuration with both stores."""
        key = self._key()
        public = key.with_suffix(".pub").read_text(encoding="ascii").strip()
        mode = 'mode = "read-write"\n' if writes else ""
        sign = f'sign = "{key}"\n' if writes else ""
        return (
            f'[stages]\nstore = "{url}stages/"\naccept = ["{public}"]\n{mode}{sign}'
            f'[compiler-cache]\nstore = "{url}objects/"\n{mode}'
        )

    def unreachable(self) -> str:
        """A configuration with everything, and nothing of it is there."""
        hosts = ", ".join(f'"127.0.0.{number}:9/{SLOTS}"' for number in range(1, WORKERS + 1))
        return f"{self.stores(f'http://{CLOSED}/')}[workers]\nhosts = [{hosts}]\n"

    def forget(self) -> None:
        """Be a machine that has compiled nothing."""
        cache = self.bench.place.cache
        for folder in (cache.ccache, cache.ccache_shared, cache.ccache_workers):
            self._forget(folder)
        self.forget_rpms()

    def forget_rpms(self) -> None:
        """Be a machine that has built nothing."""
        self._forget_stage(StageKind.BUILD)

    def forget_trees(self) -> None:
        """Be a machine that has unpacked nothing either."""
        for kind in (StageKind.PREP, StageKind.UNPACK, StageKind.INNER):
            self._forget_stage(kind)

    @contextmanager
    def worker(self) -> Iterator[str]:
        """A worker on this machine: its address and jobs."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = ("worker", "--profile", self.bench.profile, "--listen", f"127.0.0.1:{port}")
        argv = [sys.executable, "-m", "invoke", *words, "--jobs", str(SLOTS)]
        with subprocess.Popen(
            argv,
            cwd=self.bench.place.project.root,
            env={**os.environ, **self._environment(self.bench.folder / "none.toml")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                _wait(port, running)
                yield f"127.0.0.1:{port}/{SLOTS}"
            finally:
                running.send_signal(signal.SIGTERM)

    def _environment(self, configuration: Path) -> Mapping[str, str]:
        if not configuration.exists():
            configuration.write_text("", encoding="utf-8")
        root = self.bench.place.cache.root
        return {"LVS_BUILDER_CACHE": str(root), VARIABLE: str(configuration)}

    def _forget_stage(self, kind: StageKind) -> None:
        self._forget(self.bench.place.cache.stages / folder_of(kind.of(self.bench.component)))

    def _forget(self, folder: Path) -> None:
        """Move a folder away; it is removed when everything is measured.

        For minutes, ext4 looks at each inode that was freed before it makes a new file
        (``recently_deleted``, fs/ext4/ialloc.c): 80,000 of them would cost the next build more than
        unpacking its source.
        """
        aside = self.bench.folder / _FORGOTTEN
        aside.mkdir(exist_ok=True)
        if folder.exists():
            folder.rename(aside / str(len(list(aside.iterdir()))))

    def _was_taken(self) -> bool:
        """Whether the last build took the RPMs from the store."""
        folder = self.bench.place.project.artifacts(self.bench.profile)
        made = record.decode((folder / publish.RECORD).read_bytes())
        name = StageKind.BUILD.of(self.bench.component)
        return any(one.name == name and one.provenance is not None for one in made.stages)

    def _key(self) -> Path:
        """A key of this measurement's own."""
        key = self.bench.folder / "key"
        if not key.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(key)]
            made = process.run(argv)
            if not made.ok:
                raise EnvironmentFailure("no key can be made", made.complaint, "invoke doctor")
        return key


def _wait(port: int, running: subprocess.Popen[bytes]) -> None:
    """Until a worker listens.  Raises EnvironmentFailure if it ends before."""
    deadline = time.monotonic() + _START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.2)
    raise EnvironmentFailure("a worker does not start", "", "try: invoke worker")
