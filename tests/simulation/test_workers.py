"""The pool's processes end with whoever made it."""

import os
import signal
import subprocess
import sys
import time

_MAKES_ONE = """
import os, time
from tests.simulation.workers import workers
pool = workers()
print(pool.submit(os.getpid).result(), flush=True)
pool.submit(time.sleep, 60).result()
"""


def test_a_pool_ends_with_a_parent_that_is_killed() -> None:
    """Otherwise a soak that is killed plays on, unseen."""
    with subprocess.Popen([sys.executable, "-c", _MAKES_ONE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not _lives(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("it lives on")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
