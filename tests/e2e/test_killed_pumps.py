"""`kill -9` of processes that serve and pump, again and again under load, with the queue in the store."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.dev_stack import process_is_gone, wait_for
from tests.e2e.hosting import Hosting, hosting_in
from tests.e2e.test_hosting import Load

pytestmark = [pytest.mark.e2e, pytest.mark.long]
KILLS = 20


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    with hosting_in(tmp_path, has_qstash=False) as made:
        yield made


def test_nothing_is_lost_and_no_recorded_call_is_made_twice(hosting: Hosting) -> None:
    """Each job ends as it should, whichever process died, and whatever it was delivering."""
    server = hosting.serve_and_wait("--workers", "2", RATE_LIMIT_PER_MINUTE="0")
    wait_for(lambda: len(server.workers()) == 2, "two workers")
    with closing(Load(hosting)) as load:
        load.submit()
        for number in range(KILLS):
            load.submit(("fan-5", "line-3"))
            pid = server.workers()[number % 2]
            os.kill(pid, signal.SIGKILL)
            wait_for(partial(process_is_gone, pid), f"the end of worker {pid}")
            wait_for(lambda: len(server.workers()) == 2, "another worker")
        load.check()
