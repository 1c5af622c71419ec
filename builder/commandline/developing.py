"""The tasks of those who work on the builder itself."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from builder.commandline.command import command
from builder.commandline.task import options, task
from builder.console import put
from builder.errors import UsageError


@task(
    help={
        "fast": "linters and unit tests only: about two minutes",
        "long": "what is too long for CI; writes tests/long-result.json",
        "part": "with --long: folders, files or tests below tests/long (default: all)",
    }
)
def test(context: Context, fast: bool = False, long: bool = False, part: str | None = None) -> None:
    """Run linters and tests as CI does; see docs/explanation/tests.md."""
    from builder.commands import selftest  # noqa: PLC0415

    with command(context) as place:
        code = selftest.test(place, fast=fast, long=long, part=part)
    raise Exit(code=code)


@task(
    help=options(
        "flavour",
        profile="whose kernel is measured (default lts)",
        quick="only how quickly commands start; builds nothing",
        scale="what compiler cache, stage store and workers save; compiles the kernel four times",
    )
)
def bench(
    context: Context, profile: str = "lts", flavour: str = "vm", quick: bool = False,
    scale: bool = False,
) -> None:  # fmt: skip
    """Measure the builder beside the bare commands, as ratios."""
    from builder.commands import bench as benchmark  # noqa: PLC0415
    from builder.commands import bench_scale  # noqa: PLC0415

    with command(context, profile) as place:
        if quick and scale:
            raise UsageError(
                "--quick and --scale contradict each other",
                "one builds nothing, the other compiles the kernel four times",
                "leave one of them out",
            )
        if scale:
            put(bench_scale.measure(profile, flavour, place))
        elif quick:
            put(benchmark.measure_quickly(profile, place))
        else:
            put(benchmark.measure(profile, flavour, place))
