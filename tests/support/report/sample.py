"""Records of builds as real ones are, and one whose texts are an attacker's."""

from __future__ import annotations

import msgspec

from builder.digest import of_text
from builder.pipeline.facts import NONE, Facts, FetchFacts
from builder.pipeline.stage import OutputFile
from builder.report import history, logs
from builder.report.history import BuildSummary
from builder.report.origin import RunOrigin
from builder.report.record import (
    BuildRecord,
    Failure,
    ImageRecord,
    LabRecord,
    StageRecord,
    Unfinished,
)
from builder.smoke.report import Check, SmokeReport, Timing

BEGAN = 1_795_700_000.0
HOSTILE = "<img src=x onerror=alert(1)>\"'&</pre></script>{{ 7*7 }}"


def stage(
    name: str, begin: float, seconds: float, *needs: str, hit: bool = False, facts: Facts = NONE
) -> StageRecord:
    inputs: dict[str, str] = {f"stage:{one}": of_text(one) for one in needs}
    inputs["code:rpm"] = of_text("code")
    return StageRecord(name, of_text(name), hit, BEGAN + begin, seconds, inputs, facts)


FETCHED = FetchFacts(
    "https://mirror.example.org/linux-6.1.9.tar.xz", of_text("k"), "6.1.9", "tar", "pinned"
)
STAGES = (
    stage("fetch:kernel", 0, 0.7, facts=FETCHED),
    stage("unpack:kernel", 0.8, 50.4, "fetch:kernel"),
    stage("image:build", 0, 137.7),
    stage("build:kernel", 138, 263.8, "unpack:kernel", "image:build"),
    stage("build:frr", 138, 99.9, "image:build"),
    stage("repo", 402, 20.5, "build:kernel", "build:frr"),
    stage("vm", 423, 23.1, "repo"),
    stage("smoke", 446, 38.1, "vm"),
)
SIZES = {
    "repo/packages/kernel-lvs-6.1.9-1.lvs.x86_64.rpm": 64_000_000,
    "repo/packages/frr-10.1-1.el9.x86_64.rpm": 7_900_000,
    "repo/source/kernel-lvs-6.1.9-1.lvs.src.rpm": 134_000_000,
    "repo/repodata/repomd.xml": 3_000,
    "vm/director.qcow2": 412_000_000,
    "vm/cmdline": 80,
    "smoke/smoke.json": 4_000,
}
IMAGE = of_text("vm/director.qcow2")
ORIGIN = RunOrigin(BEGAN, "build01", "0.1.0", "aa1c524f" + "0" * 32, False, 2, 484.0, 0.93)
SMOKE = SmokeReport(
    "pass",
    "6.1.9-1.lvs.x86_64",
    "tcg",
    "KVM boots nothing",
    38.1,
    Timing(3, 9, 20, 6),
    (
        Check("ipvs.fullnat", True, "a local address was taken", 120),
        Check("ipvs.synproxy", True, "this kernel has none", 3, unsupported=True),
    ),
)


def outputs(sizes: dict[str, int] = SIZES) -> tuple[OutputFile, ...]:
    return tuple(OutputFile(path, size, of_text(path)) for path, size in sizes.items())


def summary(
    days: int = 0, sizes: dict[str, int] = SIZES, seconds: float = 0.0, commit: str = ""
) -> BuildSummary:
    """A build ``days`` before the sample's; ``seconds``: how much longer its kernel took."""
    origin = msgspec.structs.replace(
        ORIGIN,
        began=BEGAN - 86400 * days,
        commit=commit or ORIGIN.commit,
        clean=True,
        seconds=484.0 + seconds,
    )
    stages = {one.name: one.seconds for one in STAGES}
    stages["build:kernel"] += seconds
    return BuildSummary(origin, history.products(outputs(sizes)), stages)


def earlier_sizes() -> dict[str, int]:
    """What the build before put out: an older, smaller kernel, and a package that has gone."""
    renamed = {path.replace("6.1.9", "6.1.8"): size for path, size in SIZES.items()}
    return renamed | {"vm/director.qcow2": 400_000_000, "repo/packages/gone-1-1.x86_64.rpm": 7}


def green() -> BuildRecord:
    return BuildRecord(
        "lts",
        "director",
        "debian12",
        STAGES,
        outputs(),
        images=(ImageRecord("image:build", "build", (), "dockerfiles/debian12/packages.lock", 0),),
        lab=(
            LabRecord(
                *("fullnat", "lab/fullnat", "lab/fullnat/report.html", "pass"),
                current=True,
                kernel_release="6.1.9",
                image=IMAGE,
                held=22,
            ),
            LabRecord(
                *("nat", "lab/nat", "lab/nat/report.html", "pass"),
                current=False,
                flavour="vm",
                image=of_text("another"),
            ),
        ),
        origin=ORIGIN,
        builds=(summary(), summary(1, earlier_sizes(), 60.0), summary(2)),
    )


def red(words: str = "a.c:1: error: oops") -> BuildRecord:
    """A run that failed; ``words``: what a compiler, a server or a guest has said."""
    return msgspec.structs.replace(
        green(),
        outcome="failed",
        failure=Failure(words, words, "look: `invoke shell vm`", "vm", "logs/vm.log", 6),
        unfinished=(
            Unfinished("vm", "failed", 20.0, BEGAN + 423, ("repo",)),
            Unfinished("smoke", "not begun"),
        ),
        stages=STAGES[:6],
        outputs=outputs()[:3],
        builds=(),
    )


def log_names(made: BuildRecord) -> frozenset[str]:
    return frozenset(logs.file_name(one.name) for one in made.stages)
