"""Each finding tells the reason and the exact fix; exit 7 if a build cannot work."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import msgspec
import pytest

from builder.base.image import require_host
from builder.base.model import Base, Mmdebstrap, load_base
from builder.console import Console
from builder.doctor import machine, outside
from builder.doctor.base import examine_base
from builder.doctor.engine import examine_configuration, examine_engine
from builder.doctor.examination import Scope, examine, fix
from builder.doctor.finding import Finding, Report, Status, as_json, lines, worst
from builder.doctor.tools import examine_python, examine_tools
from builder.engine.discovery import require_reachable
from builder.errors import EnvironmentFailure
from builder.host import architecture, tools, vsyscall
from builder.host.serving import served
from builder.host.tools import Need, Tool
from builder.vm import kvm
from tests.world import ROOT


class Engine(BaseHTTPRequestHandler):
    """As much of Docker's API as is asked before anything is run."""

    version = "1.41"

    def do_GET(self) -> None:
        known = self.path.endswith(("/_ping", "/version"))
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"ApiVersion": self.version}).encode())

    def log_message(self, *words: object) -> None:
        """Silence."""


class OldEngine(Engine):
    version = "1.24"


@contextmanager
def serving(path: Path, handler: type[Engine] = Engine) -> Iterator[Path]:
    handler.address_string = lambda self: "peer"  # type: ignore[method-assign]
    with served(socketserver.ThreadingUnixStreamServer(str(path), handler), 0.05):
        yield path


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    with serving(tmp_path / "engine.sock") as path:
        yield path


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration folder of a user who has named no engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker"


def write_context(docker: Path, meta: object, name: str = "mine") -> None:
    folder = docker / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    (docker / "config.json").write_text(json.dumps({"currentContext": name}))


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


def test_an_engine_at_docker_host_is_asked(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f" unix://{socket} ")
    found = examine_engine()
    assert found.status is Status.OK
    assert "API 1.41" in found.value
    assert "DOCKER_HOST" in found.value


@pytest.mark.parametrize(
    "host", ["unix:///none", "fd://", "tcp://127.0.0.1", "garbage", "tcp://127.0.0.1:x", "tcp://"]
)
def test_a_named_engine_that_is_dead_is_a_failure_for_doctor_and_build_alike(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    found = examine_engine()
    assert found.status is Status.FAILURE
    with pytest.raises(EnvironmentFailure) as caught:
        require_reachable()
    assert (found.value, found.reason) == (caught.value.what, caught.value.cause)
    assert "DOCKER_HOST" in caught.value.hint


@pytest.mark.parametrize(
    "host", ["ssh://root@127.0.0.1", "SSH://x", "npipe:////./pipe/docker", "ssh://"]
)
def test_an_engine_that_sees_no_folder_of_this_host_is_refused(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EnvironmentFailure, match="cannot be used") as caught:
        require_reachable()
    assert "builds need an engine on this host" in caught.value.cause
    assert "unset DOCKER_HOST" in caught.value.hint


def test_the_reason_of_a_dead_engine_is_told_without_the_layers_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert examine_engine().reason == "[Errno 2] No such file or directory"


def test_an_engine_whose_api_is_too_old_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "old.sock", OldEngine) as path:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        found = examine_engine()
    assert (found.status, "too old" in found.value) == (Status.FAILURE, True)
    assert "1.24" in found.reason


def test_an_engine_of_the_current_context_is_asked(
    socket: Path, docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_context(docker, {"Name": "mine", "Endpoints": {"docker": {"Host": f"unix://{socket}"}}})
    found = examine_engine()
    assert found.status is Status.OK
    assert "Docker context mine" in found.value
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert examine_engine().status is Status.FAILURE
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert "context" not in examine_engine().value


BAD_ENDPOINTS: tuple[object, ...] = ({}, [], {"Host": ""}, {"Host": 5})
BAD_CONTEXTS: list[object] = ["", "[]", "{", {"Name": "mine"}, {"Endpoints": {}}, {"Endpoints": []}]
BAD_CONTEXTS += [{"Endpoints": {"docker": one}} for one in BAD_ENDPOINTS]


@pytest.mark.parametrize("meta", BAD_CONTEXTS, ids=str)
def test_a_context_that_leads_nowhere_is_told_with_its_file(docker: Path, meta: object) -> None:
    write_context(docker, meta)
    found = examine_engine()
    assert found.status is Status.FAILURE
    assert "the Docker context mine cannot be used" in found.value
    assert "meta.json" in found.reason
    with pytest.raises(EnvironmentFailure):
        require_reachable()


@pytest.mark.parametrize("text", ["[]", '"x"', "", "{", "null", '{"currentContext": ["a"]}'])
def test_a_broken_configuration_is_a_warning_and_keeps_no_engine_away(
    docker: Path, socket: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (docker / "config.json").write_text(text)
    (warning,) = examine_configuration()
    assert warning.status is Status.WARNING
    assert str(docker / "config.json") in warning.reason
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    assert examine_engine().status is Status.OK
    assert os.environ["DOCKER_CONFIG"] == str(docker)


def test_a_configuration_that_can_be_read_is_not_worth_a_word(docker: Path) -> None:
    assert list(examine_configuration()) == []
    (docker / "config.json").write_text('{"auths": {}, "currentContext": "default"}')
    assert list(examine_configuration()) == []


def test_the_usual_sockets_are_tried_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    (run / "podman").mkdir(parents=True)
    with socketserver.UnixStreamServer(str(run / "docker.sock"), Engine) as dead:
        dead.server_close()
        with serving(run / "podman/podman.sock") as alive:
            found = examine_engine()
    assert (found.status, str(alive) in found.value) == (Status.OK, True)


def test_without_an_engine_a_private_one_needs_dockerd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "dockerd", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found = examine_engine()
    assert (found.status, found.command) == (
        (Status.OK, None) if os.getuid() == 0 else (Status.FAILURE, None)
    )
    monkeypatch.setattr("builder.host.tools.SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if os.getuid() == 0:
        assert examine_engine().command == ("apt-get", "install", "-y", "docker.io")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("missing", "has no"),
        ("file", "refuses KVM_GET_API_VERSION"),
        ("/dev/null", "refuses KVM_GET"),
    ],
)
def test_a_device_that_is_no_kvm_is_a_warning_and_no_build_takes_it(
    tmp_path: Path, device: str, words: str
) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / device
    found = machine.examine_kvm(place, lambda: "boots")
    assert (found.status, words in found.reason) == (Status.WARNING, True)
    assert words in kvm.fault(place)


def test_kvm_is_ok_only_if_a_guest_comes_up() -> None:
    def lie() -> str:
        raise EnvironmentFailure("no guest comes up on KVM", "it fell silent")

    if kvm.fault():
        pytest.skip("this host has no KVM that makes machines")
    assert "none was booted" in machine.examine_kvm().value
    assert machine.examine_kvm(probe=lambda: "boots").value == "boots"
    found = machine.examine_kvm(probe=lie)
    assert (found.status, "it fell silent" in found.reason) == (Status.WARNING, True)


def test_little_room_warns_and_none_fails(tmp_path: Path) -> None:
    deep = tmp_path / "not/yet/there"
    rooms = iter((5, 15, 25))
    states = [
        machine.examine_disk("disk", deep, 10, 20, lambda _: next(rooms)).status for _ in range(3)
    ]
    assert states == [Status.FAILURE, Status.WARNING, Status.OK]
    assert machine.examine_memory(lambda: 1 << 20).status is Status.FAILURE


def test_present_and_needed_amounts_are_named() -> None:
    gib = 1 << 30
    words = "3.5 GiB free; 2 GiB needed, 4 GiB recommended"
    assert machine.examine_memory(lambda: 3 * gib + gib // 2).value == words
    assert machine.examine_memory(lambda: 9 * gib).value.startswith("9.0 GiB free; 2 GiB needed")
    assert "1.0 GiB are missing" in machine.examine_memory(lambda: gib).reason
    assert machine.examine_processors(1).value == "1 present; 1 needed, 2 recommended"
    assert (machine.examine_processors(1).status, machine.examine_processors(2).status) == (
        Status.WARNING,
        Status.OK,
    )


def debian(suite: str) -> Base:
    base = load_base(ROOT / "dockerfiles" / "debian12")
    assert isinstance(base.settings, Mmdebstrap)
    return msgspec.structs.replace(
        base, settings=msgspec.structs.replace(base.settings, suite=suite)
    )


def test_a_host_with_another_suites_sources_cannot_build_and_is_told() -> None:
    (found,) = examine_base(debian("potato"))
    assert found.status is Status.FAILURE
    assert "potato" in found.value
    with pytest.raises(EnvironmentFailure) as caught:
        require_host(debian("potato"))
    assert caught.value.what == found.value


@pytest.mark.parametrize(("machine", "debian"), [("aarch64", "arm64"), ("x86_64", "i386")])
def test_a_host_with_other_processors_cannot_build(machine: str, debian: str) -> None:
    with pytest.raises(EnvironmentFailure, match=f"{machine}, apt says {debian}"):
        architecture.require(machine, debian)


def test_another_processor_is_a_failure_of_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "MACHINE", "s390x")
    found = list(examine_base(debian("potato")))
    assert len(found) == 2
    assert "s390x" in found[0].reason


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
    report = msgspec.json.decode(as_json(found, "profile p"), type=Report)
    assert (report.version, report.findings) == (1, found)
    assert report.summary.startswith("this host cannot build profile p: ")
    assert "no-such-tool" in report.summary
    text = "\n".join(lines(found, "profile p"))
    assert text.splitlines()[-1] == report.summary
    assert "fix: apt-get install frob" in text
    assert "source kernel" in text
