"""QEMU's control channel (QMP): open for as long as it is needed, closed whatever ends first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from qemu.qmp import QMPClient, QMPError

HANG_UP_SECONDS = 5.0
"""How long a QEMU that has exited may leave its end of the channel open."""


@contextlib.asynccontextmanager
async def attached(
    control: socket.socket, exited: asyncio.Future[None]
) -> AsyncIterator[QMPClient | None]:
    """A client on ``control``; None where QEMU ends before it has greeted.

    ``exited`` is done when QEMU has ended.  Whatever stops the client ends the attempt here:
    qemu.qmp (0.0.6) asserts its own state when it is cancelled while it rolls back a failed
    connection, so a connection whose other end is closed is not cancelled.
    """
    client = QMPClient("director")
    connected = await _connect(client, control, exited)
    try:
        yield client if connected else None
    finally:
        if connected:
            with contextlib.suppress(QMPError, OSError, EOFError):
                await client.disconnect()


async def _connect(client: QMPClient, control: socket.socket, exited: asyncio.Future[None]) -> bool:
    connecting = asyncio.ensure_future(client.connect(control))
    try:
        await asyncio.wait((connecting, exited), return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():  # the client sees its end of file in a moment, too
            await asyncio.wait((connecting,), timeout=HANG_UP_SECONDS)
    finally:
        connecting.cancel()
        outcome = (await asyncio.gather(connecting, return_exceptions=True))[0]
    return outcome is None
