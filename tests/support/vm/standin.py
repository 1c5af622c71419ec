"""A stand-in for QEMU, which takes QEMU's options and channels and plays what a test wants.

No machine runs.  Its part is a piece of Python that sees the name ``machine``; or the lab's agent
(``AGENT``), whose answers to scripts are such a piece, too.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.vm import machine
from builder.vm.sandbox import QEMU

# Little is imported: a lab has five of them.
SCRIPT = """
import binascii, os, struct, sys, time

class Machine:
    def __init__(self, words):
        self.words = words
        self.name = words[words.index("-name") + 1]
        chardevs = [one.split(",") for one in words if one.startswith("socket,id=")]
        files = {one[1]: one[2].partition("fd=")[2] for one in chardevs}
        self.control, self.channel = int(files["id=control"]), int(files["id=report"])
        serial = words[words.index("-serial") + 1]
        self.serial = serial.removeprefix("file:").replace(",,", ",")

    def greet(self):
        os.write(self.control, b'{"QMP": {"version": {}, "capabilities": []}}\\r\\n')
        os.read(self.control, 65536)
        os.write(self.control, b'{"return": {}}\\r\\n')

    def event(self, name, reason=""):
        data = f'{{"reason": "{reason}"}}'
        moment = '{"seconds": 1, "microseconds": 1}'
        told = f'{{"event": "{name}", "data": {data}, "timestamp": {moment}}}\\r\\n'
        os.write(self.control, told.encode())

    def console(self, text):
        with open(self.serial, "a") as stream:
            stream.write(text)

    def report(self, data):
        while data:
            data = data[os.write(self.channel, data) :]

    def lines(self):
        with open(self.channel, "rb", closefd=False) as stream:
            yield from stream

    @property
    def captures(self):
        dumps = [word for word in self.words if word.startswith("filter-dump,")]
        places = [word.partition("file=")[2].rpartition(",maxlen=")[0] for word in dumps]
        return [place.replace(",,", ",") for place in places]

    def capture(self, data=b""):
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1)
        frame = struct.pack("<IIII", 1, 0, len(data), len(data)) + data
        for place in self.captures:
            with open(place, "ab") as stream:
                stream.write(frame if data else head)

    def leave(self, status):
        sys.exit(status)

folder = os.path.dirname(os.path.abspath(__file__))
if "help" in sys.argv:  # the trial of the filter of system calls
    sys.exit(0)
machine = Machine(sys.argv[1:])
with open(os.path.join(folder, f"{machine.name}.words"), "w") as stream:
    stream.write("\\0".join(machine.words))
machine.greet()
part = os.path.join(folder, f"{machine.name}.py")
with open(part if os.path.exists(part) else os.path.join(folder, "part.py")) as stream:
    exec(stream.read())
time.sleep(60)
"""
AGENT = """
machine.capture()
machine.console("Linux\\n")
machine.report(b"ready 6.1.1-1.lvs.vm.x86_64 0.1\\n")
for line in machine.lines():
    _, number, text = line.decode().split()
    script = binascii.a2b_base64(text).decode()
    status, said = 0, ""
    if " ask " in script:
        names = [word.split(",")[0] for word in script.split()[3:]]
        said = "".join(f"{{one}} ok 0.01 it answered\\n" for one in names)
    elif "ipvsadm -G" in script:
        said = "  => 10.0.3.1    4    0    0\\n"
    elif script == "dmesg":
        said = "before\\nlab run proof\\nIPVS: one\\n"
    {answer}
    coded = binascii.b2a_base64(said.encode(), newline=False).decode()
    machine.report(f"done {{number}} {{status}} {{coded}}\\n".encode())
"""


@dataclass(frozen=True)
class StandIn:
    """The stand-in's folder, which is the first one on PATH."""

    folder: Path

    def play(self, part: str, name: str = "part") -> None:
        """What a machine does from now on, or every other one, after QEMU has greeted."""
        (self.folder / f"{name}.py").write_text(part)

    def be_hosts(self, answer: str = "pass") -> None:
        """Be hosts of the lab; ``answer`` may change ``status`` and ``said`` for a ``script``."""
        self.play(AGENT.format(answer=answer))

    def words(self, name: str = "director") -> list[str]:
        """The options that the last machine of that name was started with."""
        return (self.folder / f"{name}.words").read_text().split("\0")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Put the stand-in first on PATH.  What it writes last is not waited for as long."""
    folder.mkdir()
    (folder / "qemu.py").write_text(SCRIPT)
    program = folder / QEMU
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -ISu {folder}/qemu.py "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(machine, "LAST_SECONDS", 0.3)
    return StandIn(folder)
