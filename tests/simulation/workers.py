"""The processes that play schedules: a pool of them, which ends with the one that made it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread

PROCESSES = 2
# So low that a test which waits for a server of its own does not notice.
GIVING_WAY = 15


def workers(giving_way: int = 0) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin, (giving_way,))


def _begin(giving_way: int) -> None:
    os.nice(giving_way)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells its pool nothing, whose processes would play their schedules to the end."""
    parent = parent_process()
    assert parent is not None, "a pool's process has one"
    parent.join()
    os._exit(1)
