"""The command line: Invoke tasks, each a thin call into ``builder.commands``.

Only this file and builder/commandline.py know Invoke.  Exit codes: 2 usage or configuration,
3 source not reachable, 4 verification, 5 patch, 6 build, 7 environment, 8 smoke or lab,
130 interrupted.
"""

from __future__ import annotations

from builder import early

if early.is_run_by_invoke():
    early.listen()

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from builder import commandline
from builder.commands.interruption import interruptible, leave
from builder.console import Console
from builder.errors import Interrupted
from builder.host.paths import Cache, Project, find_cache, find_project

PROFILE = "el6"
# What is made must be readable to whom containers run as, whatever the caller's own umask is.
UMASK = 0o022
_OPTIONS = {
    "profile": f"what to build: a folder of specs/ (default {PROFILE})",
    "flavour": "the kernel's configuration (default: the profile's)",
    "base": "what it is built in: a folder of dockerfiles/ (default: the profile's)",
    "jobs": "how many programs compute at the same time (default: one a processor)",
    "locked": "refuse sources that sources.lock does not pin (default in CI)",
    "only": "components, separated by commas (default: all)",
    "json": "print the result for programs",
}


def _help(*names: str, **more: str) -> dict[str, str]:
    return {name: _OPTIONS[name] for name in names} | more


@dataclass(frozen=True)
class Place:
    """Where a command works and how it speaks."""

    project: Project
    cache: Cache
    console: Console


@contextmanager
def _command() -> Iterator[Place]:
    """Runs a command; a failure ends in three lines and its exit code, never a traceback."""
    os.umask(UMASK)
    cache: Cache | None = None
    try:
        cache = find_cache()
        with interruptible():
            yield Place(find_project(), cache, Console())
    except Exit:  # a command's own exit status, such as the shell's
        raise
    except (KeyboardInterrupt, Exception) as caught:
        from builder.commands import outcome  # noqa: PLC0415 - not needed by what goes well

        message, code = outcome.of(caught, cache)
        if code == Interrupted.exit_code:
            leave(message, code)
        raise Exit(message, code) from None


def _locked(given: bool) -> bool:
    return given or os.environ.get("CI") == "true"


def _names(option: str, given: str | None) -> tuple[str, ...]:
    """The names of a list; none if the option was not given.  Raises UsageError for others."""
    from builder import names  # noqa: PLC0415

    return () if given is None else names.split(option, given)


def _jobs(given: str | None) -> int:
    """The number, 0 if the option was not given.  Raises UsageError for what is none."""
    from builder.commands import session  # noqa: PLC0415

    return 0 if given is None else session.read_jobs(given)


@task(help=_help("profile", "flavour", "base", "only", "jobs", "locked"))
def build(
    context: Context,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
    only: str | None = None,
    jobs: str | None = None,
    locked: bool = False,
) -> None:
    """Build all of a profile: RPMs, repository, disk image, smoke test (or only some RPMs)."""
    from builder.commands import produce, session  # noqa: PLC0415 - keeps --list quick

    with _command() as place:
        request = session.Request(profile, flavour, base, _jobs(jobs), _locked(locked))
        chosen = _names("--only", only)
        goals = produce.only("build", chosen) if chosen else produce.everything
        produce.produce(
            request, goals, project=place.project, cache=place.cache, console=place.console
        )


@task(help=_help("profile", "locked", update="resolve the sources anew and pin what is found"))
def fetch(
    context: Context, profile: str = PROFILE, locked: bool = False, update: bool = False
) -> None:
    """Bring the profile's sources into the cache, verified."""
    from builder.commands import produce, session  # noqa: PLC0415

    with _command() as place:
        request = session.Request(profile, locked=_locked(locked) and not update, update=update)
        forced = produce.each_source(session.choose(place.project, request)[0]) if update else ()
        done = produce.produce(
            request,
            produce.each_source,
            project=place.project,
            cache=place.cache,
            console=place.console,
            forced=forced,
        )
        for stage in done.values():
            facts = stage.manifest.facts
            came = f"{stage.name}: {facts['sha256']} from {facts['url']} {facts['version']}"
            print(f"{came.rstrip()}; verified: {facts['verified']}")


@task(help=_help("profile", "base", refresh="make the images anew from the packages of today"))
def image(
    context: Context,
    profile: str = PROFILE,
    base: str = "",
    refresh: bool = False,
) -> None:
    """Bootstrap the base: the build image and the root of the virtual machine."""
    from builder.commands import produce, session  # noqa: PLC0415

    stages = ("image:build", "image:guest")
    with _command() as place:
        done = produce.produce(
            session.Request(profile, base=base),
            produce.exactly(*stages),
            project=place.project,
            cache=place.cache,
            console=place.console,
            forced=stages if refresh else (),
        )
        for name in stages:
            print(f"{name}: {done[name].manifest.facts['packages']} packages, {done[name].path}")


@task(help=_help("profile", "flavour", "only"))
def tree(
    context: Context, profile: str = PROFILE, flavour: str = "", only: str | None = None
) -> None:
    """Set up an rpmbuild tree per component, to look into or to build by hand."""
    from builder.commands import produce, session, trees  # noqa: PLC0415

    with _command() as place:
        request = session.Request(profile, flavour)
        for line in trees.lay_out(
            request,
            produce.only("prep", _names("--only", only)),
            _names("--only", only),
            project=place.project,
            cache=place.cache,
            console=place.console,
        ):
            print(line)


@task(
    help=_help(
        "profile",
        "flavour",
        "base",
        "only",
        "json",
        check="only say what would apply; changes nothing",
    )
)
def patch(
    context: Context,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
    only: str | None = None,
    check: bool = False,
    json: bool = False,
) -> None:
    """Apply the patch series and report every hunk."""
    from builder.commands import patches, produce, session  # noqa: PLC0415

    with _command() as place:
        patches.report(
            session.Request(profile, flavour, base),
            produce.only("prep", _names("--only", only)),
            check=check,
            json=json,
            project=place.project,
            cache=place.cache,
            console=place.console,
        )


def _up_to(
    goal: str, profile: str, flavour: str, base: str, jobs: str | None, locked: bool
) -> None:
    from builder.commands import produce, session  # noqa: PLC0415

    with _command() as place:
        produce.produce(
            session.Request(profile, flavour, base, _jobs(jobs), _locked(locked)),
            produce.exactly(goal),
            project=place.project,
            cache=place.cache,
            console=place.console,
        )


@task(help=_help("profile", "flavour", "base", "jobs", "locked"))
def repo(
    context: Context,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
    jobs: str | None = None,
    locked: bool = False,
) -> None:
    """Make the yum repository and prove that it can be installed."""
    _up_to("repo", profile, flavour, base, jobs, locked)


@task(help=_help("profile", "flavour", "base", "jobs", "locked"))
def vm(
    context: Context,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
    jobs: str | None = None,
    locked: bool = False,
) -> None:
    """Make the bootable disk image with the RPMs in it."""
    _up_to("vm", profile, flavour, base, jobs, locked)


@task(help=_help("profile", "flavour", "base", "jobs", "locked"))
def smoke(
    context: Context,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
    jobs: str | None = None,
    locked: bool = False,
) -> None:
    """Boot the image and prove that kernel and tools work together."""
    _up_to("smoke", profile, flavour, base, jobs, locked)


@task(
    help=_help(
        "profile",
        scenario="scenarios, separated by commas (default: all)",
        keep="leave the hosts running afterwards, until Ctrl-C",
        load="measure instead: what goes through FULLNAT, NAT, direct routing and HAProxy",
    )
)
def lab(
    context: Context,
    profile: str = PROFILE,
    scenario: str | None = None,
    keep: bool = False,
    load: bool = False,
) -> None:
    """Prove FULLNAT by capture, on a network of machines that run the built image."""
    from builder.commands import lab as command  # noqa: PLC0415

    with _command() as place:
        command.run(
            command.Request(profile, _names("--scenario", scenario), keep, load),
            project=place.project,
            cache=place.cache,
            console=place.console,
        )


@task(
    name="lab-console",
    help=_help("profile", host="a host of the lab that runs, such as web1"),
    positional=["host"],
)
def lab_console(context: Context, host: str, profile: str = PROFILE) -> None:
    """Open a shell on a host of a lab that was kept running."""
    from builder.commands import lab as command  # noqa: PLC0415
    from builder.commands import terminal  # noqa: PLC0415

    with _command() as place:
        terminal.enter(host, command.shells_folder(place.project, profile), profile, place.console)


@task(
    help=_help("profile", "flavour", "base", stage="such as build:kernel; smoke needs all others"),
    positional=["stage"],
)
def explain(
    context: Context,
    stage: str,
    profile: str = PROFILE,
    flavour: str = "",
    base: str = "",
) -> None:
    """Say why a stage would run: which input changed, old and new digest."""
    from builder.commands import explain as command  # noqa: PLC0415
    from builder.commands import produce, session  # noqa: PLC0415

    with _command() as place:
        request = session.Request(profile, flavour, base)
        for line in command.explain_request(
            request,
            produce.exactly(stage),
            project=place.project,
            cache=place.cache,
            console=place.console,
        ):
            print(line)


@task(positional=["stage"])
def shell(context: Context, stage: str) -> None:
    """Open a shell in the container of the stage that failed last."""
    from builder.commands import shell as command  # noqa: PLC0415

    with _command() as place:
        raise Exit(code=command.enter(stage, cache=place.cache, console=place.console))


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
    """Remove artifacts and dead runs' leavings; with --all also the cache."""
    from builder.commands import clean as command  # noqa: PLC0415

    with _command() as place:
        command.clean(
            command.Request(profile, everything=all, agreed=yes),
            project=place.project,
            cache=place.cache,
            console=place.console,
        )


@task(
    help={
        "profile": "only what this profile's builds use, and its artifacts (default: everything)",
        "fix": "put aside what is damaged, so that the next build makes it anew",
    }
)
def verify(context: Context, profile: str | None = None, fix: bool = False) -> None:
    """Hold cached sources, finished stages and artifacts against their digests."""
    from builder.commands import verify as command  # noqa: PLC0415

    with _command() as place:
        print(
            command.verify(
                profile, fix=fix, project=place.project, cache=place.cache, console=place.console
            )
        )


@task(help=_help("profile"))
def report(context: Context, profile: str = PROFILE) -> None:
    """Write report.html anew from build.json, and print where it is."""
    from builder.commands import reports  # noqa: PLC0415

    with _command() as place:
        print(reports.write(place.project, profile))


@task(help=_help("profile", "json", fix="install what is missing, after asking"))
def doctor(context: Context, profile: str = PROFILE, fix: bool = False, json: bool = False) -> None:
    """Say what this host can and cannot do, with the reason and the exact fix."""
    from builder.commands import doctor as command  # noqa: PLC0415

    with _command() as place:
        code = command.examine(
            profile,
            fix=fix,
            json=json,
            project=place.project,
            cache=place.cache,
            console=place.console,
        )
    raise Exit(code=code)


@task(
    help={
        "fast": "linters and unit tests only: about a minute",
        "long": "what is too long for CI; writes tests/long-result.json",
    }
)
def test(context: Context, fast: bool = False, long: bool = False) -> None:
    """Run the linters and the tests that CI runs, with coverage; see docs/tests.md."""
    from builder.commands import selftest  # noqa: PLC0415
    from builder.errors import UsageError  # noqa: PLC0415

    with _command() as place:
        if fast and long:
            raise UsageError(
                "--fast and --long cannot be given together",
                "the fast tests are a part of CI's, the long ones are not",
                "invoke test --fast && invoke test --long",
            )
        code = selftest.run(
            place.project,
            place.console,
            scope="fast" if fast else "long" if long else "ci",
            strict=os.environ.get("CI") == "true",
        )
    raise Exit(code=code)


@task(help=_help("flavour", profile="whose kernel is measured (default lts)"))
def bench(context: Context, profile: str = "lts", flavour: str = "vm") -> None:
    """Measure the builder side by side with the bare commands, and print ratios."""
    from builder.commands import bench as command  # noqa: PLC0415

    with _command() as place:
        print(
            command.measure(
                profile, flavour, project=place.project, cache=place.cache, console=place.console
            )
        )


if __name__ == "__main__":
    sys.exit("run ./bootstrap TASK, or invoke TASK")
if early.is_run_by_invoke():
    commandline.main(sys.modules[__name__], sys.argv[1:])
