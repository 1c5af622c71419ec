"""Folders that the containers' unprivileged user writes into."""

from __future__ import annotations

import os
from pathlib import Path

CONTAINER_UID = 1000


def hand_over(folder: Path) -> None:
    """Give a folder and what is in it to the containers' user, when we are root.

    An ordinary user's containers run with that user's own id, so nothing is to be done.
    """
    if os.geteuid() != 0:
        return
    os.chown(folder, CONTAINER_UID, CONTAINER_UID)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), CONTAINER_UID, CONTAINER_UID, follow_symlinks=False)


def container_user() -> str:
    """``uid:gid`` that containers run as: never root."""
    uid = os.geteuid()
    return f"{uid}:{os.getegid()}" if uid != 0 else f"{CONTAINER_UID}:{CONTAINER_UID}"
