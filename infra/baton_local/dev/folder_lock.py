"""One running stack per data folder.

Invariant: whoever holds the lock is the only one that starts parts on this folder. The kernel drops the lock when its
holder ends in whatever way, so there is no stale lock to clear. The file's text (the holder's pid) only serves the
error message.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baton_local.dev.private_file import PRIVATE_FILE_MODE, make_private_folder
from baton_local.dev.stack_error import StackError

LOCK_FILE_NAME = "lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for the time of the block, or say who holds it."""
    make_private_folder(folder)
    path = folder / LOCK_FILE_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(_held(folder, path)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _held(folder: Path, lock_path: Path) -> str:
    pid = lock_path.read_text(encoding="utf-8").strip() or "unknown"
    return (
        f"a stack already runs on {folder} (pid {pid}, described in {folder / 'dev.json'}): "
        f"stop it with Ctrl-C there or `kill {pid}`, or use another folder with --data DIR"
    )
