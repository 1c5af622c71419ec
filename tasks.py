"""The command line: Invoke tasks, each a thin call into ``builder.commands``.

Only this file and builder/commandline/ know Invoke.  Exit codes: 2 usage or configuration,
3 source not reachable, 4 verification, 5 patch, 6 build, 7 environment, 8 smoke or lab,
130 interrupted.
"""

from __future__ import annotations

from builder import early

if early.is_run_by_invoke():
    early.listen()

import sys
from collections.abc import Callable
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from builder import commandline, names
from builder.commandline import PROFILE, command, developing, options, task
from builder.commands.judge_options import HELP
from builder.console import put, put_lines
from builder.host.paths import Project
from builder.pipeline.stagename import REPO, SMOKE, VM, StageKind


def _produce(
    context: Context, profile: str, flavour: str, base: str, jobs: str | None, locked: bool,
    hermetic: bool, dry: bool, others: tuple[bool, bool, str | None, bool], *, goal: str = "",
    only: str | None = None, variant: str | None = None,
) -> None:  # fmt: skip
    from builder.commands import produce  # noqa: PLC0415 - keeps --list quick
    from builder.stages.request import Request, read_jobs  # noqa: PLC0415

    with command(context, profile) as place:
        request = Request(
            *(profile, flavour, base, read_jobs(jobs), locked),
            hermetic=hermetic, variants=names.split("--variant", variant), dry=dry,
            alone=others[0], own_objects=others[1], workers=others[2], own_compilers=others[3],
        )  # fmt: skip
        chosen = names.split("--only", only)
        goals = produce.only(StageKind.BUILD, chosen) if chosen else produce.everything
        produce.run(request, produce.exactly(goal) if goal else goals, place)


@task(
    help=options(
        *("profile", "flavour", "base", "only", "jobs", "locked", "variant", "hermetic"),
        *("no-stage-store", "no-remote-cache", "workers", "no-workers", "dry-run"),
    )
)
def build(
    context: Context, profile: str = PROFILE, flavour: str = "", base: str = "",
    only: str | None = None, jobs: str | None = None, locked: bool = False,
    variant: str | None = None, hermetic: bool = False, no_stage_store: bool = False,
    no_remote_cache: bool = False, workers: str | None = None, no_workers: bool = False,
    dry_run: bool = False,
) -> None:  # fmt: skip
    """Build everything: RPMs, repository, disk image, smoke test."""
    chosen = (profile, flavour, base, jobs, locked, hermetic, dry_run)
    others = (no_stage_store, no_remote_cache, workers, no_workers)
    _produce(context, *chosen, others, only=only, variant=variant)


@task(
    help=options(
        *("profile", "locked", "variant", "dry-run"), update="resolve and pin the sources anew"
    )
)
def fetch(
    context: Context, profile: str = PROFILE, locked: bool = False, update: bool = False,
    variant: str | None = None, dry_run: bool = False,
) -> None:  # fmt: skip
    """Download the sources into the cache and verify them."""
    from builder.commands import inputs  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile) as place:
        variants = names.split("--variant", variant)
        request = Request(profile, locked=locked, update=update, variants=variants, dry=dry_run)
        put_lines(inputs.fetch(request, place))


@task(help={"folder": "a new or empty folder (default: this one)"})
def init(context: Context, folder: str = ".") -> None:
    """Lay out a project folder with all profiles, to be changed."""
    from builder.commands import init as laying  # noqa: PLC0415

    with command(context, project=Project(Path(folder).absolute())) as place:
        laying.init(place.project.root)
        put(str(place.project.root))


@task(
    help=options(
        "profile",
        source="a source of the profile, such as kernel (default: all)",
        check="only say what is available; changes nothing",
    )
)
def update(context: Context, source: str = "", profile: str = PROFILE, check: bool = False) -> None:
    """Move sources to newer point releases, if all patches apply."""
    from builder.commands import update as moving  # noqa: PLC0415

    with command(context, profile) as place:
        moving.update(profile, source, place, check=check)


@task(
    help=options(
        *("profile", "base", "hermetic", "no-stage-store", "dry-run"),
        refresh="make the images anew from the packages of today",
        lock="write dockerfiles/<base>/packages.lock: of which packages they are made",
    )
)
def image(
    context: Context, profile: str = PROFILE, base: str = "", refresh: bool = False,
    lock: bool = False, hermetic: bool = False, no_stage_store: bool = False,
    dry_run: bool = False,
) -> None:  # fmt: skip
    """Make the base: build image and root of the virtual machine."""
    from builder.commands import inputs  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile) as place:
        request = Request(profile, "", base, hermetic=hermetic, dry=dry_run, alone=no_stage_store)
        put_lines(inputs.bootstrap(request, place, refresh=refresh, lock=lock))


@task(help=options("profile", "flavour", "only", "dry-run"))
def tree(
    context: Context, profile: str = PROFILE, flavour: str = "", only: str | None = None,
    dry_run: bool = False,
) -> None:  # fmt: skip
    """Lay out an rpmbuild tree per component, to build by hand."""
    from builder.commands import produce, trees  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile) as place:
        request = Request(profile, flavour, dry=dry_run)
        chosen = names.split("--only", only)
        goals = produce.only(StageKind.PREP, chosen)
        put_lines(trees.lay_out(request, goals, chosen, place))


@task(
    help=options(
        *("profile", "flavour", "base", "only", "variant", "json"),
        check="only say what would apply; changes nothing",
    )
)
def patch(
    context: Context, profile: str = PROFILE, flavour: str = "", base: str = "",
    only: str | None = None, variant: str | None = None, check: bool = False, json: bool = False,
) -> None:  # fmt: skip
    """Apply the patch series and report every hunk."""
    from builder.commands import patches, produce  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile, json=json) as place:
        variants = names.split("--variant", variant)
        patches.report(
            Request(profile, flavour, base, variants=variants),
            produce.only(StageKind.PREP, names.split("--only", only)),
            place,
            check=check,
            json=json,
        )


def _up_to(goal: str, words: str) -> Callable[..., None]:
    """The task that makes one stage and all that it needs; ``words`` are its help."""

    def make(
        context: Context, profile: str = PROFILE, flavour: str = "", base: str = "",
        jobs: str | None = None, locked: bool = False, hermetic: bool = False,
        no_stage_store: bool = False, no_remote_cache: bool = False, workers: str | None = None,
        no_workers: bool = False, dry_run: bool = False,
    ) -> None:  # fmt: skip
        chosen = (profile, flavour, base, jobs, locked, hermetic, dry_run)
        others = (no_stage_store, no_remote_cache, workers, no_workers)
        _produce(context, *chosen, others, goal=goal)

    make.__doc__ = words
    shared = ("profile", "flavour", "base", "jobs", "locked", "hermetic", "no-stage-store")
    farm = ("no-remote-cache", "workers", "no-workers")
    return task(make, name=goal, help=options(*shared, *farm, "dry-run"))


repo = _up_to(REPO, "Build up to the yum repository, and prove that it installs.")
vm = _up_to(VM, "Build up to the bootable disk image.")
smoke = _up_to(SMOKE, "Build up to the smoke test in the booted image.")


@task(
    help=options(
        *("profile", "flavour", "base", "hermetic", "dry-run"),
        scenario="scenarios, separated by commas (default: all)",
        again="boot and record even if nothing has changed",
        check="load scenarios and say what is wrong with them; needs no image",
        judge="judge the recording that lies in this folder; needs no image and no QEMU",
        keep="leave the hosts running afterwards, until Ctrl-C",
        load="measure instead: what goes through FULLNAT, NAT, direct routing and HAProxy",
    )
)
def lab(
    context: Context, profile: str = PROFILE, flavour: str = "", base: str = "",
    scenario: str | None = None, again: bool = False, check: bool = False,
    judge: str | None = None, keep: bool = False, load: bool = False, hermetic: bool = False,
    dry_run: bool = False,
) -> None:  # fmt: skip
    """Prove FULLNAT by capture, on a network of virtual machines."""
    from builder.commands import judging  # noqa: PLC0415
    from builder.commands import lab as labs  # noqa: PLC0415

    with command(context, profile) as place:
        chosen = names.split("--scenario", scenario)
        judging.require_one(judge=judge is not None, check=check, keep=keep, load=load)
        if judge is not None:
            judging.judge(judge, place.console)
            return
        if check:
            put(judging.check(place.project, profile, chosen))
            return
        chosen_base = (flavour, base, again, hermetic, dry_run)
        labs.run(labs.LabRequest(profile, chosen, keep, load, *chosen_base), place)


@task(help=HELP)
def judge(
    context: Context, outside: str | None = None, inside: str | None = None,
    vip: str | None = None, local: str | None = None, server: str | None = None,
    local_ports: str | None = None, no_toa: bool = False, strict: bool = False,
    config: str | None = None, profile: str = "lts", output: str | None = None, json: bool = False,
) -> None:  # fmt: skip
    """Judge captures of your own director; see docs/how-to/judge.md."""
    from builder.commands import judge as judging  # noqa: PLC0415

    with command(context, profile, json=json) as place:
        ends = (outside, inside, vip, local, server, local_ports)
        judging.judge(judging.Options(*ends, no_toa, strict, config, profile, output, json), place)


@task(
    name="lab-console",
    help=options("profile", host="a host of the lab that runs, such as web1"),
    positional=["host"],
)
def lab_console(context: Context, host: str, profile: str = PROFILE) -> None:
    """Open a shell on a host of a lab that was kept running."""
    from builder.commands import lab as labs  # noqa: PLC0415
    from builder.commands import terminal  # noqa: PLC0415

    with command(context, profile) as place:
        terminal.enter(host, labs.shells_folder(place, profile), profile, place.console)


@task(
    help=options("profile", "flavour", "base", stage="such as build:kernel; smoke for all"),
    positional=["stage"],
)
def explain(
    context: Context, stage: str, profile: str = PROFILE, flavour: str = "", base: str = ""
) -> None:
    """Say why a stage would run: which input changed."""
    from builder.commands import explain as explanation  # noqa: PLC0415
    from builder.commands import goals  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile) as place:
        request = Request(profile, flavour, base)
        put_lines(explanation.explain_request(request, goals.exactly(stage), place))


@task(
    help=options(
        "profile",
        "flavour",
        "base",
        what="profiles, flavours, stages, ... (default: what there is)",
    )
)
def show(
    context: Context, what: str = "", profile: str = PROFILE, flavour: str = "", base: str = ""
) -> None:
    """List profiles, flavours, bases, components, stages, scenarios."""
    from builder.commands import listing  # noqa: PLC0415
    from builder.stages.request import Request  # noqa: PLC0415

    with command(context, profile) as place:
        put_lines(listing.show(what, Request(profile, flavour, base), place))


@task(help={"stage": "the stage that failed, such as build:kernel"}, positional=["stage"])
def shell(context: Context, stage: str) -> None:
    """Open a shell in the container of the stage that failed."""
    from builder.commands import shell as shells  # noqa: PLC0415

    with command(context) as place:
        raise Exit(code=shells.enter(stage, place))


@task(
    help={
        "profile": "only this profile's artifacts",
        "all": "also the cache: sources, images, ccache, finished stages",
        "yes": "remove without asking; --all needs it where there is no terminal",
    }
)
def clean(
    context: Context,
    profile: str | None = None,
    all: bool = False,  # noqa: A002
    yes: bool = False,
) -> None:
    """Remove artifacts and dead runs' folders; --all: the cache too."""
    from builder.commands import clean as cleaning  # noqa: PLC0415

    with command(context, profile) as place:
        cleaning.clean(cleaning.CleanRequest(profile, everything=all, agreed=yes), place)


@task(
    help={
        "profile": "only what this profile's builds use, and its artifacts (default: everything)",
        "fix": "put aside what is damaged, so that the next build makes it anew",
    }
)
def verify(context: Context, profile: str | None = None, fix: bool = False) -> None:
    """Verify the digests of sources, finished stages and artifacts."""
    from builder.commands import verify as verification  # noqa: PLC0415

    with command(context, profile) as place:
        put(verification.verify(profile, place, fix=fix))


@task(help=options("profile"))
def report(context: Context, profile: str = PROFILE) -> None:
    """Write report.html again from build.json."""
    from builder.commands import reports  # noqa: PLC0415

    with command(context, profile) as place:
        put(str(reports.write(place.project, profile)))


@task(help=options("profile", "base", "json", fix="install what is missing, after asking"))
def doctor(
    context: Context,
    profile: str = PROFILE,
    base: str = "",
    fix: bool = False,
    json: bool = False,
) -> None:
    """Check what this host can do, with the exact fix."""
    from builder.commands import doctor as examination  # noqa: PLC0415

    with command(context, profile, json=json) as place:
        code = examination.examine(profile, place, base=base, fix=fix, json=json)
    raise Exit(code=code)


@task(
    help=options(
        *("profile", "base"),
        listen="the address and port to listen on (default 127.0.0.1:3633)",
        allow="addresses and networks whose jobs are taken, separated by commas",
        jobs="how many jobs at a time, of all machines together (default: number of CPUs)",
    )
)
def worker(
    context: Context, profile: str = PROFILE, base: str = "", listen: str | None = None,
    allow: str | None = None, jobs: str | None = None,
) -> None:  # fmt: skip
    """Compile for other machines, until Ctrl-C (docs/how-to/scale.md)."""
    from builder.commands import worker as workers  # noqa: PLC0415

    with command(context, profile) as place:
        workers.serve(workers.WorkerRequest(profile, base, listen, allow, jobs), place)


test, bench = developing.test, developing.bench

# Tasks go above: what follows runs them.
if __name__ == "__main__":
    sys.exit("run ./bootstrap TASK, or invoke TASK")
if early.is_run_by_invoke():
    commandline.main(sys.modules[__name__], sys.argv[1:])
