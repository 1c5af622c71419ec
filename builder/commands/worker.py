"""``invoke worker``: compile for other machines, in a container of a base image, until stopped."""

from __future__ import annotations

import ipaddress
import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from builder import names
from builder.commands import outputs
from builder.console import Console
from builder.engine import connect
from builder.engine.spec import ContainerSpec
from builder.errors import EnvironmentFailure, UsageError
from builder.farm import compiler
from builder.farm.compiler import Compiler
from builder.farm.model import MOST_SLOTS, PORT, BaseImage
from builder.farm.pool import CompilerPool
from builder.farm.serving import Network, WorkerOffer, serving
from builder.farm.slots import CompilerSlots
from builder.host import ownership
from builder.host.removal import remove
from builder.pipeline import run as runs
from builder.pipeline.stagename import BUILD_ROOT
from builder.place import Place
from builder.profile.build import Build
from builder.stages import others
from builder.stages.image import ReadyImage, packages_of
from builder.stages.request import Request, choose, read_jobs
from builder.stages.session import open_session

if TYPE_CHECKING:
    from builder.engine import Engine

LOOPBACK = ("127.0.0.0/8", "::1/128")
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_MAPPED = 96  # bits before an IPv4 address that is written as IPv6 (RFC 4291, 2.5.5.2)
_FAILURES = 3  # in sequence, after which the worker ends
_LOOK = 5.0  # seconds between two looks at compilers that nobody uses


@dataclass(frozen=True)
class WorkerRequest:
    """What the user asked for, in the user's words; empty or None means the default."""

    profile: str
    base: str = ""
    listen: str | None = None
    allow: str | None = None
    jobs: str | None = None


def serve(request: WorkerRequest, place: Place) -> None:
    """Make the base image, and compile in it for others until Ctrl-C or SIGTERM.

    Raises UsageError for what cannot be meant, EnvironmentFailure if it cannot listen, or if no
    compiler starts.
    """
    address, allowed = _listen(request.listen), _allowed(request.allow)
    jobs = min(read_jobs(request.jobs) or os.cpu_count() or 1, MOST_SLOTS)
    asked = Request(request.profile, base=request.base)
    build = choose(place.project, asked)
    cache, console = place.cache, place.console
    with ExitStack() as stack:
        stack.enter_context(ownership.use(cache, console))
        engine = stack.enter_context(connect(cache, console))
        image = _image(asked, build, place)
        name = f"{runs.WORKER}{runs.new_name()}"
        folder = stack.enter_context(runs.owned(cache, build.profile, name, console))
        stack.callback(remove, folder, cache.scratch)
        try:
            starts = CompilerStarts(image.tag, folder, jobs, partial(_run, engine), console)
            pool = CompilerPool(starts, jobs)
            stack.callback(pool.close)
            with starts(0):  # so that what cannot start is told now
                offer = WorkerOffer(partial(_slots, pool), image.digest, jobs, allowed)
                stack.enter_context(serving(address, offer, _Refusals(console)))
            _tell(address, offer, image, console)
            _wait(pool, starts)
        except OSError as error:
            where = f"{address[0]} port {address[1]}"
            hint = "give another address and port: --listen ADDRESS:PORT"
            words = error.strerror or str(error)
            raise EnvironmentFailure(f"the worker cannot listen at {where}", words, hint) from error
        except KeyboardInterrupt:
            console.say("the worker has ended")


def _image(asked: Request, build: Build, place: Place) -> BaseImage:
    """The base's build image, in the engine."""
    with (
        open_session(asked, place, build=build) as session,
        outputs.published_if_failing(session),
    ):
        done = session.settle(BUILD_ROOT)[BUILD_ROOT]
        if all(package.name != others.PROGRAM for package in packages_of(done)):
            raise UsageError(
                f"nothing can be compiled for others in base {build.base.name}",
                f"it has no {others.PROGRAM}",
                "name another one: --base debian12",
            )
        return ReadyImage(session.setting).identity(done)


def _run(engine: Engine, spec: ContainerSpec, log: Path) -> int:
    return engine.run(spec, log=log)


def _tell(address: tuple[str, int], offer: WorkerOffer, image: BaseImage, console: Console) -> None:
    networks = ", ".join(map(str, offer.allowed))
    console.say(
        f"worker for {image.tag} (SHA-256 {image.digest[:12]}), {offer.jobs} jobs at a time"
    )
    console.say(f"listening at {address[0]} port {address[1]}, for {networks}; Ctrl-C ends it")


@contextmanager
def _slots(pool: CompilerPool, session: str) -> Iterator[CompilerSlots]:
    with pool.compiler(session) as made:
        yield made.slots


def _wait(pool: CompilerPool, starts: CompilerStarts) -> NoReturn:
    """Until this process is told to end, or no compiler starts any more."""
    while len(starts.failures) < _FAILURES:
        threading.Event().wait(_LOOK)
        pool.sweep()
    raise starts.failures[-1]


@dataclass(frozen=True)
class CompilerStarts:
    """Starts compilers, each in a folder of its own below ``folder``.

    ``failures``: since the last one that started.
    """

    image: str
    folder: Path
    jobs: int
    run: compiler.Run
    console: Console
    failures: list[EnvironmentFailure] = field(default_factory=list)

    @contextmanager
    def __call__(self, number: int) -> Iterator[Compiler]:
        """A compiler.  Raises EnvironmentFailure if it does not start."""
        place = self.folder / str(number)
        try:
            with compiler.running(self.image, place, self.jobs, self.run) as made:
                self.failures.clear()
                yield made
        except EnvironmentFailure as failure:
            self.failures.append(failure)
            self.console.warn(f"{failure.what}: {failure.cause}")
            raise
        finally:
            remove(place, self.folder)


class _Refusals:
    """Tells of each address whose jobs are not taken, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def __call__(self, address: str) -> None:
        if address not in self._told and len(self._told) < MOST_SLOTS:
            self._told.add(address)
            self._console.warn(f"{address} is not allowed to use this worker (--allow)")


def _listen(words: str | None) -> tuple[str, int]:
    """The address and port of ``--listen``."""
    if words is None:
        return "127.0.0.1", PORT
    found = _LISTEN.fullmatch(words)
    if not found or not 1 <= int(found[3] or PORT) <= 0xFFFF:
        hint = f"--listen 192.0.2.1:{PORT}, or [2001:db8::1]:{PORT}"
        cause = "it is an address, or an address, a colon and a port from 1 to 65535"
        raise UsageError(f"--listen {names.shown(words)} is no address and port", cause, hint)
    return found[1] or found[2], int(found[3] or PORT)


def _allowed(words: str | None) -> tuple[Network, ...]:
    """The networks of ``--allow``; without it, those of this machine alone."""
    found = LOOPBACK if words is None else names.split("--allow", words)
    try:
        return tuple(_network(word) for word in found)
    except ValueError as error:
        hint = "--allow 192.0.2.0/24,2001:db8::7"
        raise UsageError(
            f"--allow {names.shown(words or '')} is no network", str(error), hint
        ) from error


def _network(word: str) -> Network:
    """The network that ``word`` names; an IPv4 one that is written as IPv6 is the IPv4 one.

    Raises ValueError.
    """
    if "%" in word:
        raise ValueError(f"{names.shown(word)}: a zone (%) is not supported")
    found = ipaddress.ip_network(word, strict=True)
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None or found.prefixlen < _MAPPED:
        return found
    return ipaddress.ip_network((mapped, found.prefixlen - _MAPPED))
