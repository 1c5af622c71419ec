"""Promise 4: builds run without network, without privileges, as non-root, on read-only sources."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from builder.engine import ContainerSpec, Mount, describe_status
from builder.engine.container import Engine
from builder.errors import EnvironmentFailure
from builder.host.builduser import unused_number
from tests.support.clock import busy

pytestmark = pytest.mark.engine
IMAGE = "lvs-builder/tiny:1"


def shell(script: str, *mounts: Mount, memory: int | None = None) -> ContainerSpec:
    return ContainerSpec(IMAGE, ("/bin/sh", "-c", script), mounts, memory=memory)


def said(engine: Engine, script: str, tmp_path: Path) -> str:
    log = tmp_path / "log"
    assert engine.run(shell(script), log=log) == 0, log.read_text()
    return log.read_text()


def test_it_is_fenced_in_from_inside(engine: Engine, tmp_path: Path) -> None:
    status = said(engine, "cat /proc/self/status", tmp_path)
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    number = unused_number() if os.geteuid() == 0 else os.geteuid()
    assert fields["Uid"].split() == fields["Gid"].split() == [str(number)] * 4


def test_there_is_no_network(engine: Engine, tmp_path: Path) -> None:
    devices = said(engine, "cat /proc/net/dev; cat /proc/net/route", tmp_path)
    assert [line.split(":")[0].strip() for line in devices.splitlines() if ":" in line] == ["lo"]


def test_the_host_name_is_fixed(engine: Engine, tmp_path: Path) -> None:
    assert said(engine, "hostname", tmp_path) == "lvs-builder\n"


def test_an_init_reaps(engine: Engine, tmp_path: Path) -> None:
    assert "init" in said(engine, "cat /proc/1/cmdline", tmp_path)


def test_sources_are_read_only_and_outputs_belong_to_the_builder(
    engine: Engine, tmp_path: Path
) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    (output / "inner").mkdir(parents=True)
    source.mkdir()
    mounts = (Mount(source, "/source"), Mount(output, "/output", writable=True))
    script = "touch /output/inner/made && ! touch /source/made"
    assert engine.run(shell(script, *mounts), log=tmp_path / "log") == 0
    assert "Read-only file system" in (tmp_path / "log").read_text()
    number = unused_number() if os.geteuid() == 0 else os.geteuid()
    assert (output / "inner/made").stat().st_uid == number
    assert not (source / "made").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's builds are theirs to change")
def test_no_ordinary_user_can_change_a_running_build(engine: Engine, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "object").write_text("right")
    output.chmod(0o700)
    tmp_path.chmod(0o755)
    attack = (
        "for pid in $1; do echo wrong >/proc/$pid/root/output/object && echo done; "
        "kill -9 $pid && echo killed; done; exit 0"
    )
    answers: list[str] = []

    def act(line: str) -> None:
        if line != "ready":
            return
        inside = [
            path.parts[2]
            for path in Path("/proc").glob("[0-9]*/root/output/object")
            if path.read_text() == "right"
        ]
        assert inside
        for number in ("1000", "65534", "1"):
            words = ("setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups")
            argv = (*words, "sh", "-c", attack, "sh", " ".join(inside))
            answers.append(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)

    mount = Mount(output, "/output", writable=True)
    spec = shell("echo ready; sleep 2; cat /output/object", mount)
    assert engine.run(spec, log=tmp_path / "log", on_line=act) == 0
    assert (tmp_path / "log").read_text() == "ready\nright"
    assert answers == ["", "", ""]


@pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127, 137, 255])
def test_exit_statuses_come_through(engine: Engine, tmp_path: Path, status: int) -> None:
    assert engine.run(shell(f"exit {status}"), log=tmp_path / "log") == status


def test_a_missing_program_is_127(engine: Engine, tmp_path: Path) -> None:
    spec = ContainerSpec(IMAGE, ("/bin/nothing-here",))
    assert engine.run(spec, log=tmp_path / "log") == 127
    assert "not found" in describe_status(127)


def test_running_out_of_memory_is_told(engine: Engine, tmp_path: Path) -> None:
    spec = shell("dd if=/dev/zero of=/dev/null bs=200M count=1", memory=32 << 20)
    with pytest.raises(EnvironmentFailure, match="ran out of memory") as caught:
        engine.run(spec, log=tmp_path / "log")
    assert "32 MiB" in caught.value.cause


def test_every_byte_arrives(engine: Engine, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    (tmp_path / "data").write_bytes(data)
    mount = Mount(tmp_path / "data", "/data")
    lines: list[str] = []
    status = engine.run(shell("cat /data", mount), log=tmp_path / "log", on_line=lines.append)
    assert status == 0
    assert (tmp_path / "log").read_bytes() == data
    assert len(lines) == 4096 + 1


def test_a_huge_line_is_logged_whole_and_heard_in_part(engine: Engine, tmp_path: Path) -> None:
    script = "dd if=/dev/zero bs=1M count=8 2>/dev/null | tr '\\000' x; echo; echo end"
    lines: list[str] = []
    assert engine.run(shell(script), log=tmp_path / "log", on_line=lines.append) == 0
    assert (tmp_path / "log").stat().st_size == (8 << 20) + 5
    assert [len(line) for line in lines] == [64 << 10, 3]


def test_a_missing_image_is_told(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        engine.run(ContainerSpec("lvs-builder/none:0", ("/bin/sh",)), log=tmp_path / "log")
    assert "again" in caught.value.hint


def test_several_run_at_once(engine: Engine, tmp_path: Path) -> None:
    statuses: dict[int, int] = {}

    def one(number: int) -> None:
        log = tmp_path / f"log{number}"
        statuses[number] = engine.run(shell(f"sleep 0.3; exit {number}"), log=log)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == {1: 1, 2: 2, 3: 3}


def test_nothing_is_left_after_a_listener_fails(engine: Engine, tmp_path: Path) -> None:
    def fail(_line: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.run(shell("echo one; sleep 60"), log=tmp_path / "log", on_line=fail)
    assert time.monotonic() - began < busy(10)
    with engine._client() as client:
        assert client.containers(all=True) == []


def test_images_come_and_go(engine: Engine, tiny: Path) -> None:
    assert not engine.has_image("lvs-builder/other:1")
    engine.import_image(tiny, "lvs-builder/other:1", ("USER 1000:1000",))
    assert engine.has_image("lvs-builder/other:1")
    engine.remove_image("lvs-builder/other:1")
    engine.remove_image("lvs-builder/other:1")
    assert not engine.has_image("lvs-builder/other:1")
