"""What the starter tells the keeper and the machine, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

PREFIX = "lvs-fresh-"
HOSTNAME = "fresh"
CHECKOUT = "/root/lvs-fullnat-builder"
SUITES = ("bookworm", "trixie")
Suite = Literal["bookworm", "trixie"]

# Beyond what Debian calls required: what every image of a cloud or an installer has.
CLOUD_IMAGE = ("ca-certificates", "iproute2", "python3", "sudo")


class Clients(msgspec.Struct, frozen=True):
    """How this machine's package clients reach their registries.

    ``sources``: apt's, in deb822 form.  ``options``: lines of apt.conf(5).  ``files`` and
    ``folders``: local paths that the configuration names.  ``environment``: variables.
    """

    sources: str
    options: tuple[str, ...]
    files: tuple[str, ...]
    folders: tuple[str, ...]
    environment: dict[str, str]


class Step(msgspec.Struct, frozen=True):
    """A shell command that is run in the checkout inside the machine."""

    command: str


class Plan(msgspec.Struct, frozen=True):
    """A whole machine: where it lies, what it is made of, and what is run in it."""

    folder: str
    checkout: str
    suite: Suite
    packages: tuple[str, ...]
    clients: Clients
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Name of the folder and of the control groups."""
        return Path(self.folder).name

    @property
    def root(self) -> Path:
        return Path(self.folder) / "root"


class Report(msgspec.Struct, frozen=True):
    """One step's end: exit status (negative: ended by that signal) and seconds.

    ``left``: command lines of the processes that the step left running.
    """

    step: str
    status: int
    seconds: float
    left: tuple[str, ...] = ()


def load(path: Path) -> Plan:
    """Read a plan that the starter wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
