"""Debian's nginx with the configuration of docs/how-to/scale, run without being installed."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.source.model import Location, Source
from tests.support.remote.store import USER
from tests.support.source.site import Site
from tests.world import ROOT

CONFIGURATION = ROOT / "docs/how-to/scale/nginx.conf"
PROGRAM = Source("nginx", "nginx", (Location("apt:nginx", member="usr/sbin/nginx"),))
_TRIES = 10
MAIN = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log {folder}/access.log;
    fastcgi_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    scgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    include {folder}/stages.conf;
}}
"""


def program(folder: Path) -> Path:
    """The binary of the package, from the host's package registry."""
    path = folder / "nginx"
    path.write_bytes(Site(folder / "site").fetch(PROGRAM).path.read_bytes())
    path.chmod(0o755)
    return path


def configure(folder: Path, port: int) -> Path:
    """The page's configuration, with places of this test and without TLS."""
    text = CONFIGURATION.read_text()
    for old, new in (
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        (r" *ssl_certificate\w* .*;\n", ""),
        (r"/srv/stages/", f"{folder}/stages/"),
        (r"/etc/nginx/stages\.htpasswd", f"{folder}/htpasswd"),
    ):
        text, count = re.subn(old, new, text)
        assert count
    (folder / "stages.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    return folder / "nginx.conf"


@contextmanager
def serve(binary: Path, folder: Path) -> Iterator[str]:
    """Run it until the block ends; gives the address."""
    (folder / "stages/store").mkdir(parents=True)
    user, _, password = USER.partition(":")
    (folder / "htpasswd").write_text(f"{user}:{{PLAIN}}{password}\n")
    for _ in range(_TRIES):
        port = _free_port()
        command = [str(binary), "-e", f"{folder}/error.log", "-c"]
        command.append(str(configure(folder, port)))
        with subprocess.Popen(command) as process:
            try:
                if _has_begun(process, folder):
                    yield f"http://127.0.0.1:{port}/"
                    return
            finally:
                process.terminate()
                process.wait(30)
    raise OSError((folder / "error.log").read_text())


def _free_port() -> int:
    """A port that nobody has now; nginx does not begin if somebody is quicker."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def _has_begun(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Wait until nginx has its port, or has ended without it."""
    while process.poll() is None:
        if (folder / "pid").exists():  # written after bind(2) and listen(2)
            return True
        time.sleep(0.02)
    return False
