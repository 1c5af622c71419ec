"""Process 1 of the machine: makes its root, moves into it, and runs the steps."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tests.fresh import cgroups
from tests.fresh.cgroups import process_run
from tests.fresh.plan import CHECKOUT, HOSTNAME, Plan, Report, load

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kvm")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
TREE = "Debian root"
CLONE = "clone"
SETTLE_SECONDS = 3.0


def bootstrap_command(plan: Plan) -> list[str]:
    """The words of mmdebstrap; the sources come on its standard input."""
    return [
        "mmdebstrap",
        *("--mode=root", "--variant=minbase", "--format=directory"),
        f"--include={','.join(plan.packages)}",
        *(f"--aptopt={option}" for option in plan.clients.options),
        '--aptopt=APT::Sandbox::User "root"',
        '--aptopt=Acquire::Languages "none"',
        # A machine that is cut off is thrown away: nothing needs to reach the disk at once.
        "--dpkgopt=force-unsafe-io",
        *(plan.suite, str(plan.root), "-"),
    ]


def clone_command(plan: Plan) -> list[str]:
    """Tracked files of the commit that is checked out, and nothing else."""
    target = plan.root / CHECKOUT.lstrip("/")
    return ["git", "clone", "--quiet", "--no-hardlinks", plan.checkout, str(target)]


def furnish(plan: Plan) -> None:
    """Put into the root what a machine gets from its network and its owner."""
    root = plan.root
    for name in plan.clients.files:
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(name, target)
    for name in plan.clients.folders:
        target = root / name.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        process_run("mount", "--bind", name, str(target))
        process_run("mount", "-o", "remount,bind,ro", str(target))
    (root / "etc/hostname").write_text(f"{HOSTNAME}\n")
    with (root / "etc/hosts").open("a") as hosts:
        hosts.write(f"127.0.1.1 {HOSTNAME}\n")
    socket.sethostname(HOSTNAME)


def mount_all(root: Path) -> None:
    """What the kernel and an init system provide on every machine."""
    process_run("mount", "-t", "proc", "proc", str(root / "proc"))
    process_run("mount", "-t", "sysfs", "sysfs", str(root / "sys"))
    cgroups.show(root)
    for name in ("dev", "run"):
        process_run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / name))
    for name in DEVICES:
        if Path("/dev", name).exists():
            (root / "dev" / name).touch()
            process_run("mount", "--bind", f"/dev/{name}", str(root / "dev" / name))
    for name, goal in LINKS.items():
        (root / "dev" / name).symlink_to(goal)
    for name, kind, options in (
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=620,gid=5"),
        ("shm", "tmpfs", "mode=1777"),
        ("mqueue", "mqueue", "rw"),
    ):
        (root / "dev" / name).mkdir()
        process_run("mount", "-t", kind, "-o", options, kind, str(root / "dev" / name))
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    (root / "run/lock").mkdir(mode=0o1777)


def move_into(root: Path) -> None:
    """Make ``root`` the root of this namespace; nothing of the old one can be reached."""
    os.chdir(root)
    (root / ".old").mkdir()
    process_run("pivot_root", ".", ".old")
    os.chdir("/")
    process_run("umount", "--lazy", "/.old")
    Path("/.old").rmdir()


def environment(plan: Plan) -> dict[str, str]:
    """What a root shell on that machine has; CI=true agrees to packages, as README.md says."""
    return {
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CI": "true",
        **plan.clients.environment,
    }


def run(argv: Sequence[str], env: Mapping[str, str], stdin: str = os.devnull) -> int:
    """Run a program to its end, and bury every orphan meanwhile, as process 1 must."""
    reading = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0)]
    pid = os.posix_spawnp(argv[0], [*argv], env, file_actions=reading, setsid=True)
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _others() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != "1":
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                stat = (entry / "stat").read_bytes()
            except OSError:
                continue
            # One without words is a zombie, or becomes another program at this moment.
            name, _, state = stat.partition(b"(")[2].rpartition(b") ")
            if words or state[:1] not in b"ZX":
                found[int(entry.name)] = (words or name).decode(errors="replace").strip()
    return found


def left_running() -> tuple[str, ...]:
    """Command lines of other processes in here that do not end within a moment."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := _others()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return tuple(found.values())


def main(path: Path, report: int) -> int:
    """Run the machine; stops at the first step that fails, and returns its status."""
    plan = load(path)
    env = environment(plan)
    with os.fdopen(report, "wb", buffering=0) as told:

        def timed(name: str, argv: Sequence[str], given: Mapping[str, str], stdin: str) -> int:
            print(f"== {name}", flush=True)
            begun = time.monotonic()
            status = run(argv, given, stdin)
            seconds = time.monotonic() - begun
            ended = Report(name, status, round(seconds, 1), left_running())
            told.write(msgspec.json.encode(ended) + b"\n")
            return status

        sources = Path(plan.folder) / "debian.sources"
        sources.write_text(plan.clients.sources)
        status = timed(TREE, bootstrap_command(plan), os.environ, str(sources))
        status = status or timed(CLONE, clone_command(plan), os.environ, os.devnull)
        if status:
            return status
        process_run("mount", "--bind", str(plan.root), str(plan.root))
        furnish(plan)
        mount_all(plan.root)
        move_into(plan.root)
        os.chdir(CHECKOUT)
        for step in plan.steps:
            status = timed(step.command, ["/bin/sh", "-c", step.command], env, os.devnull)
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
