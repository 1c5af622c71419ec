"""A store that fails costs little time and no build: it is said once, and not asked again."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import Interrupted
from builder.pipeline.elsewhere import Wanted
from builder.remote import stages
from builder.remote.exchange import StorePatience
from builder.source.authorities import VARIABLES
from tests.support.clock import busy
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import IMAGE, KERNEL, QUICK, Machine, reader, writer
from tests.support.remote.store import USER, Handler, StoreServer, serve
from tests.support.source import authority

# Each ends for one reason alone, however busy this machine is.
BORED = StorePatience(connect=20.0, stall=0.2, answer=20.0)
HURRIED = StorePatience(connect=20.0, stall=20.0, answer=0.4)


def status(code: int) -> Callable[[Handler], bool]:
    def spoil(handler: Handler) -> bool:
        handler.answer(code, b"trouble")
        return True

    return spoil


def silent(handler: Handler) -> bool:
    handler.store.over.wait(20)
    return True


def garbage(handler: Handler) -> bool:
    handler.wfile.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
    handler.close_connection = True
    return True


def cut(handler: Handler) -> bool:
    handler.wfile.write(b"HTTP/1.1 20")
    handler.close_connection = True
    return True


def half(handler: Handler) -> bool:
    """Less than it announces."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    handler.close_connection = True
    return True


def slow(handler: Handler) -> bool:
    """A byte now and then, without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while not handler.store.over.wait(0.05):
        try:
            handler.wfile.write(b"x")
        except OSError:
            break
    handler.close_connection = True
    return True


BAD = (
    (status(500), "HTTP 500", 2, QUICK),
    (status(503), "HTTP 503", 2, QUICK),
    (status(403), "HTTP 403", 1, QUICK),
    (status(206), "HTTP 206", 1, QUICK),
    (garbage, "it does not answer in HTTP", 2, QUICK),
    (cut, "", 2, QUICK),
    (half, "the connection ended after 4 of 100 bytes", 2, QUICK),
    (silent, "timed out", 1, BORED),
    (slow, "not whole after 0.4 s", 1, HURRIED),
)


@pytest.mark.parametrize(("spoil", "why", "attempts", "patience"), BAD)
def test_a_store_that_does_not_answer_as_it_should_is_given_up(
    tmp_path: Path,
    stage_store: StoreServer,
    pair: KeyPair,
    spoil: Callable[[Handler], bool],
    why: str,
    attempts: int,
    patience: StorePatience,
) -> None:
    stage_store.spoil = spoil
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, pair), patience=patience)
    assert machine.ran == [KERNEL, IMAGE]
    (told,) = machine.told
    assert told.startswith(f"the stage store {stage_store.url} is not used in this run: ")
    assert told.endswith("; everything is built here")
    assert why in told
    assert len(stage_store.asked) <= attempts  # none, if this machine is too busy to send it
    assert stage_store.files == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_store_that_answers_slowly_is_given_up(
    tmp_path: Path,
    stage_store: StoreServer,
    pair: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    """Each answer alone is in time; a run asks for many."""
    monkeypatch.setattr(stages, "GRACE", 0.0)
    monkeypatch.setattr(stages, "EACH", 0.1)

    def late(handler: Handler) -> bool:
        if handler.command == method:
            handler.store.over.wait(2.0)
        return False

    stage_store.spoil = late
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, pair))
    assert machine.ran == [KERNEL, IMAGE]
    assert stage_store.count(method) <= 2, "two stages ask at a time"
    assert "it is too slow: " in machine.told[0]
    assert len(machine.told) == 1


def test_a_store_that_cannot_be_reached_is_asked_once(tmp_path: Path, pair: KeyPair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    machine = Machine(tmp_path / "one")
    machine.run(writer(f"http://127.0.0.1:{port}/", pair))
    assert machine.ran == [KERNEL, IMAGE]
    assert len(machine.told) == 1
    assert "refused" in machine.told[0].lower()


def test_a_server_in_trouble_is_asked_a_second_time(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    Machine(tmp_path / "maker").run(writer(stage_store.url, pair))
    count = len(stage_store.asked)

    def first_fails(handler: Handler) -> bool:
        return len(handler.store.asked) % 2 == (count + 1) % 2 and status(502)(handler)

    stage_store.spoil = first_fails
    other = Machine(tmp_path / "other")
    other.run(reader(stage_store.url, pair))
    assert other.ran == []


def test_no_redirect_is_followed(tmp_path: Path, stage_store: StoreServer, pair: KeyPair) -> None:
    with serve(tmp_path / "elsewhere") as elsewhere:

        def redirect(handler: Handler) -> bool:
            handler.answer(307, Location=f"{elsewhere.url.rstrip('/')}{handler.path}?token=secret")
            return True

        stage_store.spoil = redirect
        machine = Machine(tmp_path / "one")
        machine.run(writer(stage_store.url, pair))
        assert elsewhere.asked == []
    assert machine.ran == [KERNEL, IMAGE]
    (told,) = machine.told
    assert f"HTTP 307 Temporary Redirect to {elsewhere.url}v1/" in told
    assert "secret" not in told


def test_what_a_store_sends_back_is_shown_without_the_password(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    def echo(handler: Handler) -> bool:
        sent = handler.headers["Authorization"]
        user = base64.b64decode(sent.split()[1]).decode()
        handler.send_response(400, f"no {sent} of {user} and {user.partition(':')[2]}")
        handler.end_headers()
        handler.close_connection = True
        return True

    stage_store.spoil = echo
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, pair))
    said = machine.said.getvalue()
    assert "HTTP 400" in said
    for secret in (USER, USER.partition(":")[2], base64.b64encode(USER.encode()).decode()):
        assert secret not in said


def test_no_other_password_of_the_user_is_sent(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of ~/.netrc is for other programs; it would go in clear text, and be shown."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password swordfish\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str] = []

    def note(handler: Handler) -> bool:
        sent.extend(value for name, value in handler.headers.items() if name == "Authorization")
        return False

    stage_store.spoil = note
    Machine(tmp_path / "one").run(reader(stage_store.url, pair))
    assert stage_store.count("GET") > 0
    assert sent == []


def puts(answer: Callable[[Handler], bool]) -> Callable[[Handler], bool]:
    """Answer only PUTs so."""
    return lambda handler: handler.command == "PUT" and answer(handler)


@pytest.mark.parametrize("code", [401, 413, 500, 507])
def test_a_store_that_takes_nothing_costs_the_push_and_not_the_build(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, code: int
) -> None:
    stage_store.spoil = puts(status(code))
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, pair))
    assert machine.ran == [KERNEL, IMAGE]
    (told,) = machine.told
    assert f": not pushed to the stage store: HTTP {code}" in told
    assert told.endswith("; nothing more is pushed in this run")
    assert stage_store.files == []


def test_a_store_that_fills_up_has_nothing_that_is_used(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    stage_store.spoil = lambda handler: (
        handler.command == "PUT" and handler.path.endswith(".sig") and status(507)(handler)
    )
    Machine(tmp_path / "one").run(writer(stage_store.url, pair))
    assert [Path(name).suffix for name in stage_store.files] == [".tar", ".json"] or [
        Path(name).suffix for name in stage_store.files
    ] == [".json", ".tar"]
    other = Machine(tmp_path / "other")
    other.run(reader(stage_store.url, pair))
    assert other.ran == [KERNEL, IMAGE]


@pytest.mark.parametrize("user", ["reader:open-sesame", "ci:wrong", "token"])
def test_a_reader_cannot_push(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, user: str
) -> None:
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, pair, user))
    assert machine.ran == [KERNEL, IMAGE]
    assert "HTTP 401" in machine.told[0]
    assert stage_store.files == []


def test_a_run_that_is_stopped_does_not_wait_for_the_store(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    stage_store.spoil = silent
    machine, stop = Machine(tmp_path / "one"), threading.Event()
    remote = machine.remote(reader(stage_store.url, pair), StorePatience(stall=15.0))
    done = machine.run(None)[KERNEL]
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        remote.bring(Wanted(KERNEL, done.key, tmp_path / "output", tmp_path, stop))
    assert time.monotonic() - began < busy(3.0)


def test_an_interrupt_does_not_wait_for_what_is_pushed(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    stage_store.spoil = puts(silent)
    machine, began = Machine(tmp_path / "one"), time.monotonic()
    patience = StorePatience(stall=60.0, answer=60.0)
    with (
        pytest.raises(KeyboardInterrupt),
        machine.session(writer(stage_store.url, pair), patience) as schedule,
    ):
        schedule.run(tuple(machine.stages().values()))
        raise KeyboardInterrupt
    assert time.monotonic() - began < busy(10.0)
    assert stage_store.files == []


def test_a_store_with_an_authority_of_its_own_is_used_if_that_is_trusted(
    tmp_path: Path, pair: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = authority.make(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serve(tmp_path / "served", trusted.server) as store:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted.stranger))
        machine = Machine(tmp_path / "one")
        machine.run(writer(store.url, pair))
        assert "certificate" in machine.told[0]
        assert store.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted.certificate))
        Machine(tmp_path / "two").run(writer(store.url, pair))
        other = Machine(tmp_path / "other")
        other.run(reader(store.url, pair))
        assert other.ran == []
