"""Whether containers can be run: what a build would find, with the code that a build uses."""

from __future__ import annotations

import os
from collections.abc import Iterator

from builder.doctor.finding import Finding, Status
from builder.errors import EnvironmentFailure
from builder.host import packager
from builder.host.tools import find, table


def examine_configuration() -> Iterator[Finding]:
    """A finding if Docker's own configuration cannot be read; none if it can or is missing."""
    from builder.engine import contexts  # noqa: PLC0415

    fault = contexts.config_fault()
    if fault:
        reason = f"{fault}\nit is taken as empty: a context that it names is not used"
        fix = "correct or remove that file"
        yield Finding("docker config", Status.WARNING, "cannot be read", reason, fix)


def examine_engine() -> Finding:
    """The engine that a build would use; nothing is started."""
    # The SDK is slow to import, and nothing else here needs it.
    from builder.engine import discovery  # noqa: PLC0415

    try:
        found = discovery.look()
    except EnvironmentFailure as error:
        command = _install() if os.getuid() == 0 else None
        return Finding("engine", Status.FAILURE, error.what, error.cause, error.hint, command)
    if found.endpoint is None:
        value = f"none runs; a private one will be started by {found.daemon}"
    else:
        place = found.endpoint
        by = f" ({place.named})" if place.named else ""
        value = f"{place.title}, API {found.version}, {place.url}{by}"
    return Finding("engine", Status.OK, value)


def _install() -> tuple[str, ...] | None:
    """The command that installs a private engine, if it is missing."""
    if find("dockerd") is not None:
        return None
    return packager.command(table()["dockerd"])
