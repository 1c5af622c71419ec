"""Runs the lab's traffic on the loopback of a network namespace of its own, and prints what passed.

As a program: ``namespace.py CAPTURE COMMAND...``, the first process of namespaces that end with it.
Each COMMAND is a JSON list of words.  Their output is a JSON list; CAPTURE is a pcap file.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
ETH_P_ALL, OUTGOING = 3, 4
"""netdevice(7), packet(7).  On the loopback every packet is seen twice: sent, and received."""


def main(capture: str, *commands: str) -> None:
    with socket.socket() as one:
        flags = struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(one, SIOCSIFFLAGS, flags)
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    said: list[str] = []
    for command in commands:
        done = subprocess.run(json.loads(command), capture_output=True, text=True, check=False)
        said.append(done.stdout + done.stderr)
    tap.setblocking(False)
    with Path(capture).open("wb") as stream:
        stream.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        try:
            while True:
                frame, (_, _, kind, *_) = tap.recvfrom(65535)
                if kind == OUTGOING:
                    head = struct.pack("=IIII", int(time.time()), 0, len(frame), len(frame))
                    stream.write(head + frame)
        except BlockingIOError:
            pass
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
