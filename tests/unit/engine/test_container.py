"""What an engine is told, and what is made of its answers, also of those that are rare."""

from __future__ import annotations

import io
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.console import Console
from builder.engine import ContainerSpec, Mount, connect, container
from builder.engine.container import Engine
from builder.engine.identity import LABEL, this_process
from builder.engine.location import Endpoint
from builder.errors import EnvironmentFailure, Interrupted, SourceUnreachable
from builder.host.builduser import unused_number
from builder.host.paths import Cache
from tests.support.engine.peer import ERR, OUT, Container, Peer, Program, Say

SPEC = ContainerSpec("base:1", ("/bin/sh", "-c", "true"))
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def engine(peer: Peer, tmp_path: Path) -> Iterator[Engine]:
    with connect(Cache(tmp_path / "cache"), Console(io.StringIO(), interactive=False)) as found:
        yield found


def printing(*frames: tuple[int, bytes], status: int = 0) -> Program:
    def program(container: Container, say: Say) -> int:
        for stream, data in frames:
            say(stream, data)
        return status

    return program


def test_a_build_has_no_network_no_privilege_and_no_other_folder(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    mounts = (Mount(tmp_path / "in", "/in"), Mount(tmp_path / "out", "/out", writable=True))
    spec = ContainerSpec(
        "base:1", ("make",), mounts, (("LANG", "C"),), "/out", 32 << 20, 100, (("/tmp", "size=1m"),)
    )
    assert engine.run(spec, log=tmp_path / "log") == 0
    (made,) = peer.made
    told, host = made.config, made.config["HostConfig"]
    assert (told["Entrypoint"], told["Cmd"], told["Env"]) == ([], ["make"], ["LANG=C"])
    assert (host["NetworkMode"], host["CapDrop"]) == ("none", ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (32 << 20, 32 << 20, 100)
    assert [(one["Target"], one["ReadOnly"]) for one in host["Mounts"]] == [
        ("/in", True),
        ("/out", False),
    ]
    assert told["User"].partition(":")[0] not in ("0", "root")
    assert peer.containers == {}, "it is removed when it has ended"


def test_only_what_makes_a_base_has_the_engine_s_privileges(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    engine.run(ContainerSpec("base:1", ("mmdebstrap",), root=True), log=tmp_path / "log")
    host = peer.made[0].config["HostConfig"]
    assert not host.get("CapDrop")
    assert not host.get("SecurityOpt")
    assert peer.made[0].config["User"] == "0:0"


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_root_gives_what_is_written_to_a_user_that_nobody_is(
    engine: Engine, tmp_path: Path
) -> None:
    top = tmp_path / "out"
    (top / "inner").mkdir(parents=True)
    (top / "inner" / "link").symlink_to("/etc/passwd")
    owner = Path("/etc/passwd").stat().st_uid
    engine.run(ContainerSpec("b:1", ("x",), (Mount(top, "/out", writable=True),)), log=top / "log")
    for path in (top, top / "inner", top / "inner" / "link"):
        assert path.lstat().st_uid == unused_number()
    assert Path("/etc/passwd").stat().st_uid == owner


@pytest.mark.parametrize(
    ("component", "user", "namespace"),
    [("Engine", "0:0", None), ("Podman Engine", None, "keep-id")],
)
def test_a_rootless_engine_writes_files_as_its_user(
    peer: Peer, tmp_path: Path, component: str, user: str | None, namespace: str | None
) -> None:
    peer.security, peer.components = ("name=seccomp", "name=rootless"), (component,)
    out = Mount(tmp_path, "/out", writable=True)
    Engine(Endpoint(peer.url, "it"), "1.41").run(
        ContainerSpec("b:1", ("x",), (out,)), log=tmp_path / "log"
    )
    told = peer.made[0].config
    assert user is None or told["User"] == user
    assert told["HostConfig"].get("UsernsMode") == namespace
    assert tmp_path.stat().st_uid == os.geteuid(), "the engine maps users: nothing is given away"


def test_both_streams_are_logged_and_their_lines_kept_apart(
    engine: Engine, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = b"x" * 200_000
    peer.program = printing(
        (OUT, b"on"), (ERR, b"warning\r\n"), (OUT, b"e\n" + long), (OUT, b"\nlast \xff"), status=3
    )
    heard: list[str] = []
    monkeypatch.setattr(container, "OOM_SECONDS", 0.0)
    assert engine.run(SPEC, log=tmp_path / "log", on_line=heard.append) == 3
    assert (tmp_path / "log").read_bytes() == b"onwarning\r\ne\n" + long + b"\nlast \xff"
    assert heard == ["warning", "one", "x" * 65536, "last �"]


@pytest.mark.parametrize(("memory", "words"), [(32 << 20, "32 MiB"), (None, "no limit was set")])
def test_memory_that_ran_out_is_told(
    engine: Engine, peer: Peer, tmp_path: Path, memory: int | None, words: str
) -> None:
    def program(container: Container, say: Say) -> int:
        threading.Timer(0.15, setattr, (container, "killed_for_memory", True)).start()
        return 137

    peer.program = program
    spec = ContainerSpec("base:1", ("/usr/bin/cc1",), memory=memory)
    with pytest.raises(EnvironmentFailure, match="cc1 ran out of memory") as caught:
        engine.run(spec, log=tmp_path / "log")
    assert words in caught.value.cause
    assert caught.value.log == tmp_path / "log"


def test_a_log_that_cannot_be_written_ends_the_container(engine: Engine, peer: Peer) -> None:
    peer.program = printing(*((OUT, b"line\n"),) * 50)
    with pytest.raises(EnvironmentFailure, match="cannot write the log full") as caught:
        engine.run(SPEC, log=Path("/dev/full"))
    assert "No space left" in caught.value.cause
    assert peer.containers == {}


def test_a_log_without_a_place_starts_no_container(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailure, match="cannot write the log"):
        engine.run(SPEC, log=tmp_path / "file" / "log")
    assert peer.made == []


def test_a_listener_that_fails_leaves_no_container(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    def fail(_line: str) -> None:
        raise ZeroDivisionError

    peer.program = printing((OUT, b"one\n"))
    with pytest.raises(ZeroDivisionError):
        engine.run(SPEC, log=tmp_path / "log", on_line=fail)
    assert peer.containers == {}


def test_a_folder_that_went_meanwhile_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="/source cannot be given") as caught:
        engine.run(
            ContainerSpec("b:1", ("x",), (Mount(tmp_path / "gone", "/source"),)), log=tmp_path / "l"
        )
    assert "gone does not exist" in caught.value.cause


@pytest.mark.parametrize(
    ("status", "message", "what", "hint"),
    [
        (404, "No such image: base:1", "lost an image", "the image is made again"),
        (500, "write /x: no space left on device", "refused", "free space where the engine"),
        (400, "invalid mount: bind source path does not exist: /x", "refused", "unset DOCKER_HOST"),
        (500, "cgroup: no such file", "refused", "invoke doctor"),
    ],
)
def test_a_refusal_is_told_in_the_engine_s_words(
    engine: Engine, peer: Peer, tmp_path: Path, status: int, message: str, what: str, hint: str
) -> None:
    peer.refusals["containers/create"] = (status, message)
    with pytest.raises(EnvironmentFailure, match=what) as caught:
        engine.run(SPEC, log=tmp_path / "log")
    assert message in caught.value.cause
    assert hint in caught.value.hint


@pytest.mark.parametrize("request_", ["/start", "/wait", "/attach"])
def test_an_engine_that_goes_away_in_mid_run_is_told(
    engine: Engine, peer: Peer, tmp_path: Path, request_: str
) -> None:
    peer.silent.add(request_)
    with pytest.raises(EnvironmentFailure, match="went away") as caught:
        engine.run(SPEC, log=tmp_path / "log")
    assert "unset DOCKER_HOST" in caught.value.hint
    assert caught.value.log == tmp_path / "log"


def test_who_closes_ends_the_containers_of_all_threads(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    running = threading.Event()

    def program(container: Container, say: Say) -> int:
        running.set()
        container.ended.wait(5)
        return 137

    peer.program = program
    caught: list[Interrupted] = []

    def work() -> None:
        try:
            engine.run(SPEC, log=tmp_path / "log")
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(5)
    engine.close_soon()
    thread.join(5)
    assert peer.containers == {}
    assert len(caught) == 1


def test_leftovers_of_the_dead_are_swept_and_others_stay(engine: Engine, peer: Peer) -> None:
    me = this_process()
    dead = peer.leave(LABEL, f"{me.machine}:{me.boot}:{me.pid}:{me.start + 1}")
    rebooted = peer.leave(LABEL, f"{me.machine}:0000:{me.pid}:{me.start}")
    mine = peer.leave(LABEL, me.label)
    elsewhere = peer.leave(LABEL, f"other:{me.boot}:1:1")
    odd = [peer.leave(LABEL, text) for text in ("", "a:b:c:d", f"{me.machine}:x:-1:0", "a:b")]
    said = io.StringIO()
    engine.sweep(Console(said, interactive=False))
    assert set(peer.containers) == {mine, elsewhere, *odd}
    assert f"was killed ({me.pid})" in said.getvalue()
    assert {dead, rebooted}.isdisjoint(peer.containers)


def test_an_image_is_imported_found_and_removed_twice(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "root.tar").write_bytes(data)
    assert not engine.has_image("base:1")
    engine.import_image(tmp_path / "root.tar", "base:1", ("USER 1:1",))
    assert peer.imported == {"base:1": data}
    assert engine.has_image("base:1")
    engine.remove_image("base:1")
    engine.remove_image("base:1")
    assert not engine.has_image("base:1")


def test_an_import_that_fails_after_its_ok_is_told(
    engine: Engine, peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "root.tar").write_bytes(b"tar")
    peer.answers = [{"status": "Importing"}, {"error": "no space left on device"}]
    with pytest.raises(EnvironmentFailure, match="could not import base:1") as caught:
        engine.import_image(tmp_path / "root.tar", "base:1")
    assert "free space" in caught.value.hint


def test_an_image_that_no_registry_serves_is_not_reachable(engine: Engine, peer: Peer) -> None:
    reference = f"registry.invalid/base@sha256:{'0' * 64}"
    engine.pull(reference)
    assert peer.pulled[0].startswith("registry.invalid/base")
    peer.answers = [{"status": "Pulling"}, {"error": "manifest unknown"}]
    with pytest.raises(SourceUnreachable, match="is not available") as caught:
        engine.pull(reference)
    assert caught.value.cause == "manifest unknown"
    peer.refusals["images/create"] = (500, "dial tcp: lookup registry.invalid")
    with pytest.raises(SourceUnreachable, match="lookup"):
        engine.pull(reference)


def test_a_shell_gets_the_keys_and_the_terminal_s_size(
    engine: Engine, peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def program(container: Container, say: Say) -> int:
        say(OUT, b"$ ")
        return 5

    peer.program = program
    ours, theirs = pty.openpty()
    screen = tmp_path / "screen"
    with os.fdopen(theirs) as keyboard, screen.open("w") as output:
        monkeypatch.setattr("sys.stdin", keyboard)
        monkeypatch.setattr("sys.stdout", output)
        monkeypatch.setenv("COLUMNS", "123")
        monkeypatch.setenv("LINES", "45")
        assert engine.shell(SPEC) == 5
    os.close(ours)
    assert screen.read_bytes() == b"$ "
    assert peer.resized == [("45", "123")]
    assert peer.made[0].config["Tty"]


def test_an_interrupt_waits_only_briefly_for_the_engine(peer: Peer, tmp_path: Path) -> None:
    console = Console(io.StringIO(), interactive=False)
    with pytest.raises(KeyboardInterrupt), connect(Cache(tmp_path), console) as engine:
        peer.leave(LABEL, this_process().label)
        raise KeyboardInterrupt
    assert peer.containers == {}
    with pytest.raises(EnvironmentFailure, match="refused"):
        peer.refusals["info"] = (500, "shutting down")
        Engine(engine.endpoint, "1.41")
