"""A web server with bad habits, one per path, for the fetch tests.

``/good/NAME`` serves honestly with ETag and ranges.  The others are named after what they do.
"""

from __future__ import annotations

import base64
import hashlib
import io
import ssl
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from builder.host.serving import served


def tar_of(data: bytes, *names: str) -> bytes:
    """A tar with these members below a top folder, each with ``data`` in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in names or ("data",):
            member = tarfile.TarInfo(f"tool-1.0/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    # Two blocks of zeros are an end (POSIX.1-1988); records of twenty are for tapes.
    return made.getvalue()[: archive.offset]


BODY = tar_of((bytes(range(256)) * 4096)[: -3 * 512])  # 1 MiB
assert len(BODY) == 1 << 20
DIGEST = hashlib.sha256(BODY).hexdigest()
TAG = '"one"'


@dataclass
class Habits:
    """The server's address and what it was asked."""

    port: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    counts: Counter[str] = field(default_factory=Counter)
    passwords: list[str | None] = field(default_factory=list)  # Authorization
    over: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    body: bytes = BODY
    bodies: dict[str, bytes] = field(default_factory=dict)
    tag: str = TAG
    scheme: str = "http"

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def ranges(self, path: str) -> list[str | None]:
        return [asked for name, asked in self.requests if name == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    habits: Habits

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self.habits.requests.append((self.path, self.headers.get("Range")))
        self.habits.passwords.append(self.headers.get("Authorization"))
        self.habits.counts[self.path] += 1
        self.close_connection = True
        habit = self.path.partition("?")[0].split("/")[1].replace("-", "_")
        getattr(self, f"be_{habit}")()

    def do_HEAD(self) -> None:
        self.do_GET()

    def start(self, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def offset(self) -> int:
        """Where the client wants to go on, 0 if its validator is not ours."""
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range") != self.habits.tag:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def serve(self, end: int | None = None) -> None:
        body, start = self.habits.body, self.offset()
        whole = len(body)
        if start >= whole:
            self.start(416, 0, Content_Range=f"bytes */{whole}")
        elif start:
            self.start(206, whole - start, Content_Range=f"bytes {start}-{whole - 1}/{whole}")
            self.wfile.write(body[start:end])
        else:
            self.start(200, whole, ETag=self.habits.tag)
            self.wfile.write(body[:end])

    def be_swapped(self) -> None:
        """/swapped/WHAT: gives the rest of another file, which WHAT tells; honest about a whole."""
        if self.headers.get("Range") is None:
            self.serve()
            return
        what, whole = self.path.split("/")[2], len(self.habits.body)
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        told: dict[str, dict[str, str]] = {
            "tag": {"ETag": '"two"', "Content-Range": f"bytes {start}-{whole - 1}/{whole}"},
            "total": {"Content-Range": f"bytes {start}-{whole}/{whole + 1}"},
            "start": {"Content-Range": f"bytes 0-{whole - 1}/{whole}"},
            "nothing": {},
            "end": {"ETag": '"two"', "Content-Range": f"bytes */{start}"},
        }
        self.start(416 if what == "end" else 206, None, **told[what])
        self.wfile.write(self.habits.body[start:])

    def be_echo(self) -> None:
        """Gives back in its reason and in a redirect what it was asked and who asks."""
        user = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
        self.send_response(302 if "again" in self.path else 404, f"no {self.path} for {user}")
        self.send_header("Location", f"gopher://{user}@elsewhere{self.path}")
        self.end_headers()

    def be_good(self) -> None:
        self.serve()

    def be_body(self) -> None:
        """/body/NAME: the bytes of that name, with 200 whatever they are."""
        data = self.habits.bodies[self.path.partition("?")[0].split("/")[2]]
        self.start(200, len(data))
        self.wfile.write(data)

    def be_wrong(self) -> None:
        self.start(200, 5)
        self.wfile.write(b"wrong")

    def be_truncated(self) -> None:
        """Cuts every answer after 300,000 bytes more."""
        self.serve(self.offset() + 300_000)

    def be_cut_without_range(self) -> None:
        """Cuts, and knows neither Range nor ETag; honest from the third time on."""
        self.start(200, len(BODY))
        self.wfile.write(BODY if self.habits.counts[self.path] > 2 else BODY[:1000])

    def be_ignores_range(self) -> None:
        """Gives an ETag, cuts the first answer, and then sends all from the start with 200."""
        self.start(200, len(BODY), ETag=TAG)
        self.wfile.write(BODY if self.habits.counts[self.path] > 1 else BODY[:500_000])

    def be_always_cut(self) -> None:
        self.start(200, len(BODY))
        self.wfile.write(BODY[:1000])

    def be_endless(self) -> None:
        self.start(200)
        while not self.habits.over.is_set():
            try:
                self.wfile.write(BODY)
            except OSError:
                return

    def be_stalled(self) -> None:
        self.start(200, len(BODY), ETag=TAG)
        self.wfile.write(BODY[:1000])
        self.habits.over.wait(20)

    def be_drip(self) -> None:
        self.start(200, len(BODY), ETag=TAG)
        for byte in BODY:
            if self.habits.over.is_set():
                return
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return
            time.sleep(0.02)

    def be_slow(self) -> None:
        """Honest, but 64 KiB at a time."""
        start = self.offset()
        if start:
            whole = len(BODY)
            self.start(206, whole - start, Content_Range=f"bytes {start}-{whole - 1}/{whole}")
        else:
            self.start(200, len(BODY), ETag=TAG)
        for at in range(start, len(BODY), 65536):
            try:
                self.wfile.write(BODY[at : at + 65536])
            except OSError:
                return
            time.sleep(0.03)

    def be_gated(self) -> None:
        """Honest, once the test opens the gate."""
        self.habits.gate.wait(30)
        self.serve()

    def be_flaky(self) -> None:
        """/flaky/STATUS: that status twice, then honest."""
        if self.habits.counts[self.path] <= 2:
            self.start(int(self.path.split("/")[2]), 0)
        else:
            self.serve()

    def be_patience(self) -> None:
        """/patience/SECONDS: 503 with Retry-After once."""
        if self.habits.counts[self.path] == 1:
            self.start(503, 0, Retry_After=self.path.split("/")[2].replace("_", " "))
        else:
            self.serve()

    def be_reset(self) -> None:
        if self.habits.counts[self.path] > 1:
            self.serve()

    def be_status(self) -> None:
        self.start(int(self.path.split("/")[2]), 0)

    def be_loop(self) -> None:
        self.start(302, 0, Location="/loop/again")

    def be_moved(self) -> None:
        self.start(301, 0, Location="/good/moved")

    def be_named(self) -> None:
        """/named/ANYTHING: redirects to it with the Location of that name, byte for byte."""
        location = self.habits.bodies[self.path.partition("?")[0].split("/")[2]]
        head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation:%s\r\n\r\n"
        self.wfile.write(head % location)

    def be_elsewhere(self) -> None:
        self.start(302, 0, Location="file:///etc/passwd")

    def be_chunked(self) -> None:
        self.start(200, Transfer_Encoding="chunked")
        for at in range(0, len(BODY), 1 << 18):
            part = BODY[at : at + (1 << 18)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Habits]:
    """Run the server on a port of its own until the block ends, with ``tls`` over https."""
    habits = Habits(scheme="https" if tls else "http")
    handler = type("Handler", (_Handler,), {"habits": habits})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    habits.port = server.server_address[1]
    with served(server, 0.02):
        try:
            yield habits
        finally:
            habits.over.set()
