"""The reports in a browser: axe-core finds no fault by day or in the dark, on wide screens or
narrow ones, and nothing is wider than the screen or must be scrolled sideways."""

from __future__ import annotations

import base64
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builder.host import process
from builder.lab import judging
from builder.lab.page import html as lab_page
from builder.report import html as build_page
from builder.report import matrix
from builder.report.matrix import Cell, Column
from tests.support.lab import recordings
from tests.support.lab.wire import Wire
from tests.support.pip import ready
from tests.support.report import sample

# The wheel that carries axe-core 4.12.1.
AXE = "axe-playwright-python==0.1.8"
SHA256 = "fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
MEMBER = "axe_playwright_python/axe.min.js"
RUN = """
document.querySelectorAll("details").forEach(one => { one.open = true; });
const regions = [...document.querySelectorAll(".wide, pre")];
const cut = regions.filter(one => one.scrollWidth > one.clientWidth);
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const told = {
    width: innerWidth,
    needed: document.scrollingElement.scrollWidth,
    faults: found.violations.map(one => one.id + ": " + one.nodes.map(node => node.html).join(" ")),
    judged: found.passes.length,
    cut: cut.map(one => (one.ariaLabel || one.textContent).slice(0, 60)),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(told));
  parent.postMessage(btoa(String.fromCharCode(...bytes)), "*");
});
"""
# A window is at least 500 pixels wide, a frame as narrow as is wanted.
FRAME = """<!DOCTYPE html>
<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>
<script>onmessage = event => {{ document.documentElement.dataset.told = event.data; }}</script>
"""


class Told(msgspec.Struct, frozen=True):
    """What the browser says of a page: its width and what it needs in CSS pixels, and faults.

    ``cut``: tables and drawings of which a part is out of sight.
    """

    width: int
    needed: int
    faults: tuple[str, ...]
    judged: int
    cut: tuple[str, ...]


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("axe")
    (folder / "wanted").write_text(f"{AXE} --hash=sha256:{SHA256}\n")
    options = ("download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder)
    with ready() as pip:
        subprocess.run((*pip, *options, "--requirement", folder / "wanted"), check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER).decode()


def without_toa(wire: Wire) -> None:
    tcp = wire.tcp("inner", 0)
    tcp.opts = tcp.opts[8:]
    tcp.off = 5 + len(tcp.opts) // 4


def with_long_numbers(wire: Wire) -> None:
    """As real kernels choose them, so that the labels of a ladder are as long as they can be."""
    for frames in wire.frames.values():
        for one in frames:
            tcp = one.data.data
            tcp.seq = tcp.seq + 3_000_000_000
            tcp.ack = tcp.ack + 3_000_000_000 if tcp.ack else 0


def green_build(folder: Path) -> str:
    made = sample.green()
    return build_page.render(made, sample.SMOKE, sample.log_names(made))


def red_build(folder: Path) -> str:
    return build_page.render(sample.red(), None)


def green_lab(folder: Path) -> str:
    recording = recordings.make(folder / "green", spoil=with_long_numbers)
    return lab_page.render(judging.judge(recording), recording)


def red_lab(folder: Path) -> str:
    recording = recordings.make(folder / "red", spoil=without_toa)
    return lab_page.render(judging.judge(recording), recording)


def index(folder: Path) -> str:
    cells = {
        "fullnat": Cell("pass", "proven", "22 hold", "lts/lab/fullnat/report.html"),
        "synproxy": Cell("unsupported", matrix.LEFT_OUT, "this series has none"),
        "nat": Cell("fail", "not proven", "", "lts/lab/nat/report.html"),
    }
    return matrix.render((Column("lts", "flavour vm", "lts/report.html", cells),))


def looked_at(folder: Path, source: str, axe: str, width: int, *options: str) -> Told:
    """What the browser says of a page on a screen of some width, in CSS pixels."""
    scripts = f"<script>{axe}</script><script>{RUN}</script>"
    (folder / "page.html").write_text(source.replace("</body>", f"{scripts}</body>"))
    outer = folder / "frame.html"
    outer.write_text(FRAME.format(width=width))
    ended = subprocess.run(
        (
            process.require_tool("chromium"),
            *("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"),
            f"--user-data-dir={folder / 'browser'}",
            "--window-size=1400,1000",
            *options,
            "--dump-dom",
            outer.as_uri(),
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    told = re.search(r'data-told="([^"]+)"', ended.stdout)
    assert told is not None, ended.stderr[-2000:]
    return msgspec.json.decode(base64.b64decode(told[1]), type=Told)


@pytest.mark.registry
@pytest.mark.parametrize("make", [green_build, red_build, green_lab, red_lab, index])
@pytest.mark.parametrize("look", ["wide", "narrow", "dark"])
def test_axe_finds_no_fault(
    tmp_path: Path, axe: str, make: Callable[[Path], str], look: str
) -> None:
    width = 390 if look == "narrow" else 1280
    scheme = ("--blink-settings=preferredColorScheme=0",) if look == "dark" else ()
    told = looked_at(tmp_path, make(tmp_path), axe, width, *scheme)
    assert told.faults == ()
    assert told.judged > 5
    assert told.needed <= told.width == width
    assert told.cut == ()


@pytest.mark.registry
def test_axe_finds_a_fault_that_is_there(tmp_path: Path, axe: str) -> None:
    bad = "<!DOCTYPE html><html><body><img src='x'><p style='color: #ccc'>pale</p></body></html>"
    faults = {one.partition(":")[0] for one in looked_at(tmp_path, bad, axe, 390).faults}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= faults
