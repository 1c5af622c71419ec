"""How quickly captures are judged: part of ``invoke bench``."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuildError
from builder.host import process
from builder.host.paths import Project
from builder.lab.trace import judge, reading, sample
from builder.lab.trace.director import Described, director
from builder.lab.trace.sample import LOCAL, SERVER, VIP, SampleShape
from builder.profile import load

PROFILE, MODULE = "lts", "builder.commands.judge_speed"
LARGE = SampleShape(20_000, packets=25, content=1250, open=500)
"""A million packets and a gigabyte, on two links."""
SMALL = SampleShape(20_000, packets=12, content=10, open=500, stamped=False)
"""Data packets of 64 bytes."""


@dataclass(frozen=True)
class Speed:
    """A result.  ``took``: wall seconds.  ``used``: processor seconds.  ``peak``: MB of memory."""

    packets: int
    took: float
    used: float
    peak: float

    @property
    def rate(self) -> float:
        return self.packets / self.took


def measure(project: Project, folder: Path, shape: SampleShape) -> Speed:
    """Make captures of ``shape`` in ``folder`` and judge them in a process of their own."""
    paths = folder / "outside.pcap", folder / "inside.pcap"
    try:
        sample.write(*paths, shape)
        ended = process.run(
            [sys.executable, "-m", MODULE, str(project.specs), *map(str, paths)],
            cwd=project.root,
        )
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    if not ended.ok:
        raise BuildError("captures that are right are not proven", ended.complaint, "report this")
    return Speed(*json.loads(ended.stdout))


def _judge(specs: Path, outside: str, inside: str) -> Speed:
    series = load.load(specs, PROFILE).lab
    given = reading.recordings((outside,), (inside,))
    ends = f"{VIP[0]}:{VIP[1]}", f"{SERVER[0]}:{SERVER[1]}"
    described = Described(vip=ends[:1], local=(LOCAL,), server=ends[1:])
    if series is None:
        raise BuildError(f"profile {PROFILE} has no table [lab]", "", "")
    began, used = time.monotonic(), time.process_time()
    trial = judge.judge(director(described, series), (given[0], given[1]), PROFILE)
    took, used = time.monotonic() - began, time.process_time() - used
    if trial.verdict.outcome != "pass":
        raise BuildError("not proven", trial.verdict.complaint, "")
    told = trial.verdict.runs[0].counters
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Speed(told["packets_outside"] + told["packets_inside"], took, used, peak)


if __name__ == "__main__":
    found = _judge(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    sys.stdout.write(json.dumps([found.packets, found.took, found.used, found.peak]))
