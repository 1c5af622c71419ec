"""The environment is whole or not there, and heals from everything that can befall it."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clock import busy
from tests.support.setup import checkout
from tests.support.setup.checkout import Checkout, Ended

pytestmark = pytest.mark.registry
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="makes mounts of its own")
# A second run may take this much more than Invoke alone; measured: 1.2.
SECOND_RUN = 1.6


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return checkout.copy(tmp_path / "checkout")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with an environment, in a folder whose name wants quoting."""
    made = checkout.copy(tmp_path_factory.mktemp("ready") / "it's a checkout (1) & more; ü")
    require_list(made.run("--list"))
    return made


def require_list(ended: Ended) -> None:
    assert ended.status == 0, ended.stderr
    assert "Build everything" in ended.stdout


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive_in(folder: Path) -> list[str]:
    """Command lines of the processes that name this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_a_second_run_says_nothing_and_changes_nothing(ready: Checkout) -> None:
    before = ready.link.readlink()
    ended = ready.run("--list")
    require_list(ended)
    assert ended.stderr == ""
    assert ready.link.readlink() == before


def processor_seconds(argv: list[str], cwd: Path) -> float:
    """The least of several runs."""
    taken = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert checkout.run(argv, cwd).status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def test_a_second_run_adds_no_noticeable_time(ready: Checkout) -> None:
    alone = [str(ready.link / "bin/python"), "-m", "invoke", "--list"]
    bare = processor_seconds(alone, ready.root)
    ours = processor_seconds([str(ready.script), "--list"], ready.root)
    print(f"bootstrap {ours:.3f} s, invoke {bare:.3f} s, ratio {ours / bare:.2f}")
    assert ours < bare * SECOND_RUN


def test_it_runs_however_it_is_called(ready: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(ready.script)
    require_list(checkout.run([str(link), "--list"], tmp_path))
    require_list(checkout.run(["./link"], tmp_path))
    require_list(checkout.run(["sh", "bootstrap"], ready.root, CDPATH="/:/tmp"))
    require_list(checkout.run(["sh", "../bootstrap"], ready.root / "builder", CDPATH="/usr"))
    told = checkout.run(["sh", "../bootstrap", "no-such-task"], ready.root / "builder")
    assert "next:  ../bootstrap --list" in told.stderr, "it can be pasted where the user stands"
    path = f"{ready.root}:{os.environ['PATH']}"
    require_list(checkout.run(["bootstrap", "--list"], Path("/"), PATH=path))


def test_the_tasks_exit_status_is_kept(ready: Checkout) -> None:
    assert ready.run("no-such-task").status == 2
    assert "--profile" in ready.run("build", "--help").stdout


def test_the_line_for_completion_can_be_pasted(tmp_path: Path) -> None:
    made = checkout.copy(tmp_path / "it's a checkout & more")
    ended = made.run("--list")
    require_list(ended)
    (line,) = [one for one in ended.stderr.splitlines() if "--print-completion-script" in one]
    command = line.partition(": ")[2]
    told = checkout.run(["bash", "-c", f"{command}; complete -p invoke ./bootstrap"], Path("/"))
    assert "-F _lvs_builder invoke" in told.stdout, told.stderr
    assert "-F _lvs_builder ./bootstrap" in told.stdout, told.stderr
    (made.root / ".venv").unlink()
    silent = made.run("--complete", "--", "buil")
    assert (silent.status, silent.stdout, silent.stderr) == (0, "", ""), "nothing is made for it"


def test_a_hostile_environment_does_no_harm(fresh: Checkout, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("invoke.py", "tqdm.py", "json.py", "sitecustomize.py", "start.py"):
        (trap / name).write_text(f"raise SystemExit('the trap: {name}')\n")
    variables: dict[str, str] = {
        "PYTHONHOME": str(trap),
        "PYTHONPATH": str(trap),
        "PYTHONSTARTUP": str(trap / "start.py"),
        "PYTHONSAFEPATH": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONUSERBASE": str(trap),
        "VIRTUAL_ENV": str(trap),
        "PIP_TARGET": str(trap / "target"),
        "PIP_PREFIX": str(trap / "prefix"),
        "PIP_ROOT": str(trap / "root"),
        "PIP_USER": "1",
        "PIP_DRY_RUN": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_PYTHON": "/nonexistent",
        "PIP_REQUIREMENT": "/nonexistent",
    }
    shell = f"umask 077; exec {shlex.quote(str(fresh.script))} --list"
    require_list(checkout.run(["sh", "-c", shell], tmp_path, **variables))
    require_list(fresh.run("--list", **variables))
    assert {path.name for path in trap.iterdir()} == {
        *("invoke.py", "tqdm.py", "json.py", "sitecustomize.py", "start.py")
    }
    home = fresh.root / ".venvs"
    for path in (home, fresh.link.resolve(), *fresh.link.resolve().rglob("*")):
        wanted = 0o555 if path.is_dir() else 0o444
        assert path.is_symlink() or path.stat().st_mode & wanted == wanted, path


def kinds_of_loss() -> tuple[Callable[[Checkout], None], ...]:
    def a_file_is_gone(made: Checkout) -> None:
        (main,) = made.link.glob("lib/*/site-packages/invoke/main.py")
        main.unlink()

    def a_file_is_empty(made: Checkout) -> None:
        """As a power cut leaves what was never written to the disk."""
        (main,) = made.link.glob("lib/*/site-packages/invoke/main.py")
        os.truncate(main, 0)

    def lead_to_itself(made: Checkout) -> None:
        made.link.unlink()
        made.link.symlink_to(made.link.name)

    return (a_file_is_gone, a_file_is_empty, lead_to_itself)


def kinds_of_damage() -> dict[str, Callable[[Checkout], None]]:
    def vanish(made: Checkout) -> None:
        python = made.link / "bin/python"
        python.unlink()
        python.symlink_to("/nonexistent/bin/python3")

    def stop_working(made: Checkout) -> None:
        python = made.link / "bin/python"
        python.unlink()
        checkout.program(python.parent, "python", "echo 'cannot load libpython' >&2; exit 127")

    def lose_a_package(made: Checkout) -> None:
        (site,) = made.link.glob("lib/*/site-packages")
        shutil.rmtree(site / "invoke")

    def lose_the_folder(made: Checkout) -> None:
        shutil.rmtree(made.link.resolve())

    def be_half_of_an_earlier_version(made: Checkout) -> None:
        """What a kill left before environments were made aside: a folder with a Python only."""
        made.link.unlink()
        (made.link / "bin").mkdir(parents=True)
        (made.link / "bin/python").symlink_to(sys.executable)
        (made.link / ".runtime-123-456").touch()

    def be_of_another_lock(made: Checkout) -> None:
        lock = made.root / "requirements/runtime.txt"
        lock.write_text(f"# changed\n{lock.read_text()}")

    damages = (vanish, stop_working, lose_a_package, lose_the_folder)
    more = (be_half_of_an_earlier_version, be_of_another_lock, *kinds_of_loss())
    return {damage.__name__: damage for damage in (*damages, *more)}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout.copy(tmp_path_factory.mktemp("damaged") / "checkout")
    require_list(made.run("--list"))
    return made


@pytest.mark.parametrize("name", kinds_of_damage())
def test_a_damaged_environment_heals(damaged: Checkout, name: str) -> None:
    kinds_of_damage()[name](damaged)
    ended = damaged.run("--list")
    require_list(ended)
    assert "making .venv" in ended.stderr
    again = damaged.run("--list")
    assert (again.status, again.stderr) == (0, "")
    assert damaged.link.is_symlink()


def test_a_moved_checkout_heals(fresh: Checkout, tmp_path: Path) -> None:
    """Else the scripts of .venv/bin would run what is left, or is not, in the old place."""
    require_list(fresh.run("--list"))
    moved = Checkout(fresh.root.rename(tmp_path / "moved"))
    require_list(moved.run("--list"))
    script = moved.link / "bin/invoke"
    assert checkout.run([str(script), "--version"], moved.root).status == 0
    assert str(tmp_path / "checkout") not in script.read_text()
    assert moved.run("--list").stderr == ""


@pytest.mark.parametrize("mask", ["0777", "077"])
def test_others_may_enter_whatever_the_umask_is(fresh: Checkout, mask: str) -> None:
    shell = f"umask {mask}; exec {shlex.quote(str(fresh.script))} --list"
    require_list(checkout.run(["sh", "-c", shell], fresh.root))
    assert (fresh.root / ".venvs").stat().st_mode & 0o777 == 0o755
    assert fresh.link.resolve().stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("moment", ["venv", "settings", "pip", "check", "import"])
def test_a_kill_at_any_moment_heals(fresh: Checkout, moment: str) -> None:
    """Nothing goes on after the kill, and the next run makes the environment whole."""
    marks: dict[str, Callable[[str], bool]] = {
        "venv": lambda line: " -m venv " in line,
        "settings": lambda line: "/wheel/pip " in line and " config " in line,
        "pip": lambda line: "/wheel/pip " in line and " install " in line,
        "check": lambda line: line.strip().endswith(" check"),
        "import": lambda line: "packages_distributions" in line,
    }
    running = fresh.start("--list")
    home = fresh.root / ".venvs"
    wait_for(lambda: any(marks[moment](line) for line in alive_in(home)))
    running.kill()
    running.wait()
    wait_for(lambda: not alive_in(home), 0.3)
    assert not fresh.link.exists()
    require_list(fresh.run("--list"))
    assert fresh.environments() == [fresh.link.readlink().name]


def test_an_interrupt_ends_at_once_and_leaves_nothing(fresh: Checkout) -> None:
    running = fresh.start("--list")
    home = fresh.root / ".venvs"
    wait_for(lambda: any(" install " in line for line in alive_in(home)))
    sent = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert time.monotonic() - sent < busy(2)
    assert running.returncode == 130
    assert "failed:" not in said
    assert "Traceback" not in said
    assert not alive_in(home)
    assert not fresh.environments()


def test_two_at_once_do_not_hurt_each_other(fresh: Checkout) -> None:
    both = [fresh.start("--list") for _ in range(3)]
    said = [one.communicate(timeout=checkout.SECONDS) for one in both]
    assert [one.returncode for one in both] == [0, 0, 0], said
    assert all("Build everything" in out for out, _ in said)
    assert sum("making .venv" in err for _, err in said) == 1
    assert len(fresh.environments()) == 1


def test_a_run_keeps_its_environment_while_another_is_made(fresh: Checkout, tmp_path: Path) -> None:
    """As a long build does when the checkout is updated and another task is run."""
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    task = (
        "import pathlib, time\n"
        "from invoke import Exit, task\n"
        "@task\n"
        "def wait(context):\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        f"    while not pathlib.Path({str(gate)!r}).exists():\n"
        "        time.sleep(0.05)\n"
        "    import tqdm.contrib.logging\n"
        "    print(tqdm.__file__)\n"
        "    raise Exit(code=5)\n"
    )
    (fresh.root / "tasks.py").write_text(task)
    running = fresh.start("wait")
    wait_for(begun.exists, checkout.SECONDS)
    first = fresh.link.readlink()
    for n in range(3):
        lock = fresh.root / "requirements/runtime.txt"
        lock.write_text(f"# {n}\n{lock.read_text()}")
        assert fresh.run("--list").status == 0
    assert fresh.link.readlink() != first
    gate.touch()
    out, said = running.communicate(timeout=60)
    assert running.returncode == 5, said  # the task's own
    assert str(fresh.root / first) in out
    # That one, the last and the one before it; the second was nobody's.
    assert len(fresh.environments()) == 3


def test_the_tests_environment_serves_the_builder_too(fresh: Checkout) -> None:
    require_list(fresh.run("--list"))
    runtime = fresh.link.readlink().name
    assert runtime.startswith("runtime-")
    ended = fresh.run("test", "--help")
    assert ended.status == 0, ended.stderr
    assert fresh.link.readlink().name.startswith("test-")
    again = fresh.run("--list")
    assert (again.status, again.stderr) == (0, "")


def test_a_lock_that_is_not_whole_is_refused(fresh: Checkout) -> None:
    lock = fresh.root / "requirements/runtime.txt"
    whole = (checkout.ROOT / "requirements/runtime.txt").read_text()
    lock.write_text(checkout.pick(whole, (*checkout.PACKAGES, "jinja2")))
    ended = fresh.run("--list")
    ended.require_refusal("cannot find every needed package in the lock")
    assert "requires markupsafe, which is not installed" in ended.stderr
    assert not fresh.link.exists()
    assert not fresh.environments()


def unshared(shell: str, *words: Path) -> Ended:
    """Run a shell script in a mount namespace of its own."""
    argv = ["unshare", "--mount", "sh", "-euc", shell, "sh", *map(str, words)]
    return checkout.run(argv, Path("/"))


READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; exec "$1/bootstrap" --list'


@needs_root
def test_a_read_only_checkout_is_told(fresh: Checkout) -> None:
    ended = unshared(READ_ONLY, fresh.root)
    ended.require_refusal("Read-only file system", "cp -r")
    assert ended.stderr.count("\n") == 3


@needs_root
def test_a_read_only_checkout_with_an_environment_works(ready: Checkout) -> None:
    require_list(unshared(READ_ONLY, ready.root))


@needs_root
@pytest.mark.parametrize("free", [1, 15])
def test_a_full_disk_is_told(fresh: Checkout, tmp_path: Path, free: int) -> None:
    """Megabytes too few for pip, and enough for pip but not for the packages' files."""
    small = tmp_path / "small"
    small.mkdir()
    taken = subprocess.run(["du", "-sk", fresh.root], capture_output=True, text=True, check=True)
    size = int(taken.stdout.split()[0]) + free * 1024
    shell = (
        f'mount -t tmpfs -o size={size}k none "$1"; cp -r "$2/." "$1"; exec "$1/bootstrap" --list'
    )
    unshared(shell, small, fresh.root).require_refusal("No space left on device", "df -h")
