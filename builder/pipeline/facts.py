"""What a stage reports to later stages, besides its files: a record of its kind.

It is in the stage's manifest, in the ledger and in ``build.json``, with the kind beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from builder.digest import Digest, Size
from builder.pipeline.stagename import StageKind

Count = Annotated[int, msgspec.Meta(ge=0)]


class NoFacts(msgspec.Struct, frozen=True, tag_field="kind", tag="none"):
    """A stage that has nothing to report."""


class FetchFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.FETCH.value):
    """A source: who served it, which variant, and why it is trusted; a revision's ``version``."""

    url: str
    sha256: Digest
    version: str
    variant: str
    verified: str


class UnpackFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.UNPACK.value):
    """A pristine tree: its files, and their sizes in bytes together."""

    files: Count
    bytes: Size


class InnerFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.INNER.value):
    """A pristine tree out of an archive in another one."""

    files: Count


class ImageFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.IMAGE.value):
    """A root: how many packages are in it, and its tar's digest."""

    packages: Count
    sha256: Digest


class CompilerFacts(msgspec.Struct, frozen=True):
    """What the compiler's caches did in a build: calls of compilers, by where the object was from.

    ``local``: this machine's cache.  ``remote``: the team's.  ``compiled``: neither had it.
    ``errors``: requests that the team's cache could not answer.  ``received``, ``sent``: bytes of
    objects from it, and to it, up to the build's end.  ``missing``: requests for objects that it
    did not have.
    """

    local: Count
    remote: Count
    compiled: Count
    errors: Count = 0
    received: Count = 0
    sent: Count = 0
    missing: Count = 0

    @property
    def uses_remote(self) -> bool:
        """Whether the team's cache was asked for anything."""
        return bool(self.remote or self.errors or self.received or self.sent or self.missing)

    def __str__(self) -> str:
        calls = self.local + self.remote + self.compiled
        requests = "1 request" if self.errors == 1 else f"{self.errors} requests"
        failed = f", {requests} failed" if self.errors else ""
        return (
            f"{self.remote} of {calls} objects from the team's compiler cache "
            f"({self.received / 1e6:.1f} MB), {self.local} from this machine's, "
            f"{self.compiled} compiled{failed}"
        )


class WorkerFacts(msgspec.Struct, frozen=True):
    """What one worker did in a build: jobs that it compiled, and that failed there.

    ``compared``: jobs that were also done here, with the same result.  ``sent``, ``received``:
    bytes of sources and objects.
    """

    worker: str
    jobs: Count
    failed: Count = 0
    compared: Count = 0
    sent: Count = 0
    received: Count = 0

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"worker {self.worker}: {self.jobs} objects ({self.sent / 1e6:.1f} MB there, "
            f"{self.received / 1e6:.1f} MB back), {self.compared} compared{failed}"
        )


class BuildFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.BUILD.value):
    """RPMs: compiled objects, and how long the container lived, in seconds.

    What the stage took beyond that is the builder's own.  ``compiler``: None if the base has no
    compiler cache.  ``workers``: those that had a job.  ``make_cpu_seconds``, ``cpu_seconds``: what
    the container took of this machine's processors up to the end of %build, and altogether; None
    where the kernel does not tell.
    """

    objects: Count
    container_seconds: float
    compiler: CompilerFacts | None = None
    workers: tuple[WorkerFacts, ...] = ()
    make_cpu_seconds: float | None = None
    cpu_seconds: float | None = None

    def told(self) -> Iterator[str]:
        """What other machines did, a line each."""
        if self.compiler and self.compiler.uses_remote:
            yield str(self.compiler)
        yield from map(str, self.workers)


class RepoFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.REPO.value):
    """A repository: how many packages were installed from it to prove it."""

    packages: Count


class VmFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.VM.value):
    """A disk image: its kernel's ``uname -r``."""

    release: str


class SmokeFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.SMOKE.value):
    """A boot: seconds from power-on to the verdict, and what ran it (``kvm`` or ``tcg``)."""

    seconds: float
    accelerator: str


class LabFacts(msgspec.Struct, frozen=True, tag_field="kind", tag=StageKind.LAB.value):
    """A verdict: its outcome in one word."""

    outcome: str


Facts = (
    NoFacts
    | FetchFacts
    | UnpackFacts
    | InnerFacts
    | ImageFacts
    | BuildFacts
    | RepoFacts
    | VmFacts
    | SmokeFacts
    | LabFacts
)
NONE = NoFacts()


def of_texts(stage: str, texts: dict[str, Any]) -> dict[str, Any]:
    """Facts of versions that kept all values as texts, in today's form.

    It must be converted without strictness (msgspec), because its numbers are texts.
    """
    return {"kind": stage.partition(":")[0] if texts else NoFacts.__struct_config__.tag, **texts}
