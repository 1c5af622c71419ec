"""The workers of one run: which of them gets a job, and which is not to be asked any more.

Whatever a worker does, the build goes on: a job that a worker cannot do is done by another one, or
here.  A part of all jobs, chosen at random, is done here as well and compared, because nothing else
shows that a worker returns wrong objects.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from builder.console import Console
from builder.errors import BuilderError, Interrupted
from builder.farm.compiler import JOB_SECONDS
from builder.farm.distcc import DistccCompiler, JobAnswer
from builder.farm.exchange import WorkerPatience, compile_there, probe
from builder.farm.model import BaseImage, FarmUse, WorkerAddress, WorkerBusy, WorkerFailed

REST = 60.0
"""Seconds in which a worker that failed gets no job."""
ATTEMPTS = 2
"""Workers that one job is given to, before it is done here."""
_TURN = 2.0  # seconds that a job waits for a free slot
_BUSY = 6  # times in sequence, after which it is told
_SCALE = 1 << 30


@dataclass
class _Worker:
    """A worker as this run knows it.  ``slots``: in use.  ``rests``: until then (monotonic).
    ``busy``: how often in sequence it had no slot left."""

    address: WorkerAddress
    slots: int = 0
    rests: float = 0.0
    busy: int = 0
    is_told: bool = False
    is_barred: bool = False


@dataclass(frozen=True)
class FarmRules:
    """``compared``: the share of jobs that is done here as well.  ``rest``: see ``REST``."""

    compared: float
    rest: float = REST
    patience: WorkerPatience = field(default_factory=WorkerPatience)


class Farm:
    """Gives jobs to workers; may be used by several threads.

    ``here``: this machine's own compiler of an image, which their objects are compared with.
    """

    def __init__(
        self,
        workers: tuple[WorkerAddress, ...],
        console: Console,
        here: Callable[[BaseImage, str], DistccCompiler],
        rules: FarmRules,
    ) -> None:
        self._workers = [_Worker(one) for one in workers]
        self._console = console
        self._here = here
        self._rules = rules
        self._changed = threading.Condition()
        self._asked: set[BaseImage] = set()
        self._uses: list[FarmUse] = []

    def new_use(self) -> FarmUse:
        """The counts of one build, which learns here that a worker's objects are wrong."""
        with self._changed:
            self._uses.append(FarmUse())
            return self._uses[-1]

    def slots(self, image: BaseImage) -> int:
        """How many jobs all workers together take for a base image, without those that are barred.

        The first call asks each worker, and tells of those that cannot be used.
        """
        with self._changed:
            if image not in self._asked:
                self._asked.add(image)
                self._probe(image)
            return sum(one.address.slots for one in self._workers if not one.is_barred)

    def compile(self, image: BaseImage, job: bytes, *, use: FarmUse) -> bytes | None:
        """What distccd answers to a job; None if no worker can do it now."""
        for _ in range(ATTEMPTS):
            worker = self._take()
            if worker is None:
                return None
            try:
                answer = self._ask(worker, image, job, use)
            finally:
                self._free(worker)
            if answer is not None:
                return answer.data
        return None

    def _ask(self, worker: _Worker, image: BaseImage, job: bytes, use: FarmUse) -> JobAnswer | None:
        """A worker's answer; None if it has none that can be used."""
        name = str(worker.address)
        try:
            answer = compile_there(
                worker.address, image.digest, use.session, job, self._rules.patience
            )
        except WorkerBusy:
            self._pause(worker)
            return None
        except WorkerFailed as failure:
            use.add(name, failed=1)
            self._rest(worker, failure)
            return None
        worker.busy = 0
        use.add(name, jobs=1, sent=len(job), received=len(answer.data))
        if answer.status == 0 and secrets.randbelow(_SCALE) < self._rules.compared * _SCALE:
            use.add(name, compared=1)
            if not self._is_right(worker, image, job, answer, use.session):
                return None
        return answer

    def _is_right(
        self, worker: _Worker, image: BaseImage, job: bytes, answer: JobAnswer, session: str
    ) -> bool:
        """Whether the object is the one that is compiled here.

        A compiler that is not even like itself proves nothing: the object is not used, and the
        worker stays.
        """
        try:
            ours = self._here(image, session).compile(job, JOB_SECONDS)
            if ours.object == answer.object:
                return True
            is_alike = self._here(image, session).compile(job, JOB_SECONDS).object == ours.object
        except Interrupted:
            return False
        except (WorkerFailed, BuilderError) as failure:
            self._bar_all(f"their objects cannot be compared here: {failure}")
            return False
        if is_alike:
            self._bar(worker)
        return False

    def _take(self) -> _Worker | None:
        """The usable worker with the largest free share, one slot of which is taken."""
        with self._changed:
            deadline = time.monotonic() + _TURN
            while any(self._may_work(one) for one in self._workers):
                free = [one for one in self._workers if self._may_work(one) and _share(one) < 1]
                if free:
                    chosen = min(free, key=_share)
                    chosen.slots += 1
                    return chosen
                if not self._changed.wait(deadline - time.monotonic()):
                    return None
            return None

    def _free(self, worker: _Worker) -> None:
        with self._changed:
            worker.slots -= 1
            self._changed.notify_all()

    def _may_work(self, worker: _Worker) -> bool:
        return not worker.is_barred and worker.rests <= time.monotonic()

    def _rest(self, worker: _Worker, failure: WorkerFailed) -> None:
        with self._changed:
            worker.rests = time.monotonic() + self._rules.rest
            said, worker.is_told = worker.is_told, True
            self._changed.notify_all()
        if not said:
            self._console.warn(f"worker {worker.address} gets no jobs for now: {failure}")

    def _pause(self, worker: _Worker) -> None:
        """Ask a worker that has no slot left less and less often."""
        with self._changed:
            worker.busy += 1
            again = worker.busy - ATTEMPTS  # the first job may have found it busy
            rest = min(2.0 ** (again - 1), self._rules.rest) if again > 0 else 0.0
            worker.rests = max(worker.rests, time.monotonic() + rest)
            is_news = worker.busy == _BUSY
        if is_news:
            self._console.say(f"worker {worker.address} has no slot left for jobs of this machine")

    def _bar(self, worker: _Worker) -> None:
        with self._changed:
            said, worker.is_barred = worker.is_barred, True
            for use in self._uses:
                use.spoil(str(worker.address))
            self._changed.notify_all()
        if not said:
            self._console.warn(
                f"worker {worker.address} gets no jobs any more: it has returned an object that "
                "differs from the one compiled here; what was built with it before may be wrong, "
                "too, and --no-workers builds it anew"
            )

    def _bar_all(self, reason: str) -> None:
        with self._changed:
            said = all(one.is_barred for one in self._workers)
            for one in self._workers:
                one.is_barred = True
            self._changed.notify_all()
        if not said:
            self._console.warn(f"no worker is used in this run: {reason}")

    def _probe(self, image: BaseImage) -> None:
        """Ask all workers at the same time."""

        def ask(worker: _Worker) -> str:
            try:
                probe(worker.address, image.digest, self._rules.patience)
            except WorkerBusy:
                return ""
            except WorkerFailed as failure:
                return str(failure)
            return ""

        with ThreadPoolExecutor(len(self._workers)) as pool:
            faults = list(pool.map(ask, self._workers))
        for worker, fault in zip(self._workers, faults, strict=True):
            if fault:
                worker.is_barred = True
                self._console.warn(f"worker {worker.address} is not used in this run: {fault}")


def _share(worker: _Worker) -> float:
    """The share of a worker's slots that is in use."""
    return worker.slots / worker.address.slots
