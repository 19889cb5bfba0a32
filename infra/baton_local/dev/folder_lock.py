"""One running stack per data folder.

Invariant: whoever holds the lock is the only one that starts parts on this folder. The kernel drops the lock when its
holder ends in whatever way, so there is no stale lock to clear. The file's text (the holder's pid) only serves the
error message.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baton_local.dev.private_file import make_private_folder
from baton_local.dev.stack_error import StackError
from baton_local.stand_in.folder import DataFolderError, lock_folder


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for the time of the block, or say who holds it."""
    make_private_folder(folder)
    try:
        descriptor = lock_folder(folder)
    except DataFolderError as error:
        raise StackError(_held(folder)) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _held(folder: Path) -> str:
    pid = (folder / "lock").read_text(encoding="utf-8").strip() or "unknown"
    return (
        f"a stack already runs on {folder} (pid {pid}, described in {folder / 'dev.json'}): "
        f"stop it with Ctrl-C there or `kill {pid}`, or use another folder with --data DIR"
    )
