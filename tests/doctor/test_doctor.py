"""Each finding tells the reason and the exact fix; exit 7 if a build cannot work."""

from __future__ import annotations

import hashlib
import io
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import msgspec
import pytest

from builder.console import Console
from builder.doctor import machine, outside
from builder.doctor.engine import examine_engine
from builder.doctor.examination import Scope, examine, fix
from builder.doctor.finding import Finding, Status, as_json, lines, worst
from builder.doctor.tools import examine_python, examine_tools
from builder.errors import EnvironmentFailure
from builder.host import tools, vsyscall
from builder.host.tools import Need, Tool


class Engine(BaseHTTPRequestHandler):
    server_version = "Docker/1.0"

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *words: object) -> None:
        """Silence."""


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Engine) as server:
        Engine.address_string = lambda self: "peer"  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("echo tool 1.2.3", Status.OK, "1.2.3"),
        ("echo no >&2; exit 3", Status.FAILURE, "no"),
        ("exit 3", Status.FAILURE, "does not work"),
    ],
)
def test_tools_are_really_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    status: Status,
    words: str,
) -> None:
    program(tmp_path / "bin", "frobnicate", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (found,) = examine_tools((Tool("frobnicate", "frob", "to frobnicate", Need.BUILD),))
    assert found.status is status
    assert words in found.value + found.reason


def test_a_missing_tool_names_its_package() -> None:
    (found,) = examine_tools((Tool("no-such-tool", "frob", "to frobnicate", Need.BUILD),))
    assert (found.status, found.fix) == (Status.FAILURE, "apt-get install frob")
    assert found.command == ("apt-get", "install", "-y", "frob")


def test_an_old_python_is_refused() -> None:
    assert examine_python((3, 9)).status is Status.FAILURE
    assert examine_python((3, 11)).status is Status.OK


def test_an_engine_at_docker_host_is_asked(socket: Path) -> None:
    found = examine_engine({"DOCKER_HOST": f"unix://{socket}"})
    assert found.status is Status.OK
    assert "Docker/1.0" in found.value


def test_a_named_engine_that_is_dead_is_a_failure(tmp_path: Path) -> None:
    found = examine_engine({"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert found.status is Status.FAILURE
    assert "DOCKER_HOST" in found.fix


def test_an_engine_of_the_current_context_is_asked(socket: Path, tmp_path: Path) -> None:
    folder = tmp_path / "contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": "mine", "Endpoints": {"docker": {"Host": f"unix://{socket}"}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    found = examine_engine({"DOCKER_CONFIG": str(tmp_path)})
    assert found.status is Status.OK
    assert "Docker context mine" in found.value
    wrong = examine_engine({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "other"})
    assert wrong.status is Status.FAILURE


def test_the_usual_sockets_are_tried_in_turn(socket: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    dead.touch()
    found = examine_engine({"HOME": str(tmp_path)}, system_sockets=(dead, socket))
    assert (found.status, str(socket) in found.value) == (Status.OK, True)


def test_without_an_engine_a_private_one_needs_dockerd_and_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "dockerd", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    plain = {"HOME": str(tmp_path)}
    assert examine_engine(plain, system_sockets=(), user=0).status is Status.OK
    assert "needs root" in examine_engine(plain, system_sockets=(), user=1000).reason
    monkeypatch.setattr("builder.host.tools.SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = examine_engine(plain, system_sockets=(), user=0)
    assert missing.command == ("apt-get", "install", "-y", "docker.io")


def test_kvm_missing_or_lying_is_a_warning(tmp_path: Path) -> None:
    def lie() -> str:
        raise OSError("no guest came up")

    assert machine.examine_kvm(tmp_path / "kvm").status is Status.WARNING
    device = tmp_path / "there"
    device.touch()
    assert "VM stage" in machine.examine_kvm(device).value
    assert machine.examine_kvm(device, lambda: "boots").value == "boots"
    assert "no guest came up" in machine.examine_kvm(device, lie).reason


def test_little_room_warns_and_none_fails(tmp_path: Path) -> None:
    deep = tmp_path / "not/yet/there"
    rooms = iter((5, 15, 25))
    states = [
        machine.examine_disk("disk", deep, 10, 20, lambda _: next(rooms)).status for _ in range(3)
    ]
    assert states == [Status.FAILURE, Status.WARNING, Status.OK]
    assert machine.examine_memory(lambda: 1 << 20).status is Status.FAILURE


def test_vsyscall_matters_only_where_it_is_needed() -> None:
    assert machine.examine_vsyscall(lambda: False).status is Status.OK
    assert machine.examine_vsyscall(lambda: True, needed=True).value == "mapped"
    found = machine.examine_vsyscall(lambda: False, needed=True)
    assert found.status is Status.FAILURE
    assert "--base debian12" in found.fix


@pytest.mark.parametrize(
    ("release", "bits", "status"),
    [
        ("6.1.0-13-amd64", "0", Status.OK),
        ("5.4.0-100-generic", "3000", Status.OK),
        ("2.6.32-754.el6.x86_64", "12", Status.WARNING),
        ("4.19.0", "none", Status.WARNING),
    ],
)
def test_a_host_short_of_entropy_is_told(
    release: str, bits: str, status: Status, tmp_path: Path
) -> None:
    place = tmp_path / "entropy_avail"
    place.write_text(f"{bits}\n")
    assert machine.examine_entropy(release, place).status is status


def test_the_vsyscall_page_is_read_off_the_maps(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    stack = "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0  [stack]\n"
    maps.write_text(stack)
    assert not vsyscall.is_mapped(maps)
    maps.write_text(f"{stack}ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n")
    assert vsyscall.is_mapped(maps)


def test_a_base_of_rpms_takes_tools_of_its_own() -> None:
    def names(method: str, *, root: bool) -> set[str]:
        return {tool.name for tool in tools.for_base(method, root=root)}

    assert {"dnf", "rpmkeys", "rpm2cpio", "cpio", "mke2fs"} <= names("yum", root=True)
    assert not {"dnf", "newuidmap"} & names("mmdebstrap", root=True)
    assert {"newuidmap", "newgidmap", "mke2fs"} <= names("mmdebstrap", root=False)
    assert "newuidmap" not in names("yum", root=False)


@pytest.mark.parametrize(
    ("now", "date", "status"),
    [
        (1e9, None, Status.FAILURE),
        (1_800_000_000.0, None, Status.OK),
        (1_800_000_000.0, "Fri, 15 Jan 2027 08:00:00 GMT", Status.OK),
        (1_800_000_000.0, "Fri, 15 Jan 2027 09:00:00 GMT", Status.WARNING),
        (1_800_000_000.0, "Fri, 22 Jan 2027 09:00:00 GMT", Status.FAILURE),
        (1_800_000_000.0, "yesterday", Status.WARNING),
    ],
)
def test_the_clock_is_held_against_what_is_known(
    now: float, date: str | None, status: Status
) -> None:
    assert outside.examine_clock(1_790_000_000.0, now, date).status is status


def test_one_location_that_answers_is_enough() -> None:
    def probe(url: str) -> str:
        if "dead" in url:
            raise OSError("refused")
        return "200"

    sources = (("a", ("good",)), ("b", ("dead", "good")), ("c", ("dead",)))
    found = list(outside.examine_sources(sources, probe))
    assert [one.status for one in found] == [Status.OK, Status.WARNING, Status.FAILURE]


def test_fix_asks_then_runs_and_tells_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "fixer", f'echo "$@" >> {tmp_path}/ran; [ "$1" != bad ] || exit 1')
    program(tmp_path / "bin", "sudo", '"$@" with-sudo')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    console = Console(io.StringIO(), interactive=False)
    good = Finding("x", Status.FAILURE, "", command=("fixer", "good"))
    fine = Finding("y", Status.OK, "", command=("fixer", "never"))
    assert fix([good, good, fine], lambda line: False, console, user=0) == 0
    assert fix([good, good, fine], lambda line: True, console, user=0) == 1
    assert fix([good], lambda line: line.startswith("sudo"), console, user=1000) == 1
    assert (tmp_path / "ran").read_text() == "good\ngood with-sudo\n"
    bad = Finding("z", Status.WARNING, "", command=("fixer", "bad"))
    with pytest.raises(EnvironmentFailure):
        fix([bad], lambda line: True, console, user=0)


def test_the_whole_examination_is_a_table_and_json(tmp_path: Path) -> None:
    scope = Scope(
        tmp_path / "cache",
        tmp_path / "artifacts",
        sources=(("kernel", ("here",)),),
        probe=lambda url: "200",
        tools=(Tool("no-such-tool", "frob", "to frobnicate", Need.BUILD),),
    )
    found = examine(scope)
    assert worst(found) == 7
    assert worst([Finding("x", Status.WARNING, "")]) == 0
    assert msgspec.json.decode(as_json(found), type=tuple[Finding, ...]) == found
    text = "\n".join(lines(found))
    assert "fix: apt-get install frob" in text
    assert "source kernel" in text
