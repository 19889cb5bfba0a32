"""Streams over HTTP while the app is killed in mid-text and readers come and go: each part once, each text whole."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack, wait_for
from tests.e2e.stream_agents import ANSWER, FIRST
from tests.e2e.stream_reader import StreamReader, standing_texts
from tests.e2e.test_dev_jobs import job, submit

pytestmark = [pytest.mark.e2e, pytest.mark.long]

JOBS = 16
KILLS = 2
# A killed app leaves its claims behind for the work's time limit and ten seconds more.
ENVIRONMENT = {
    "WORK_TIMEOUT_SECONDS": "3",
    "MESSAGE_TIMEOUT_SECONDS": "6",
    "MESSAGE_RETRY_DELAY_MS": "300",
    "MAX_CONCURRENT_JOBS": "20",
}
RECOVERY_SECONDS = 300.0


@pytest.fixture
def stack(new_stack: Callable[..., DevStack]) -> DevStack:
    """A stack whose agent talks."""
    made = new_stack(arguments=("--port", "0", "--app", "stream_agents:registry"))
    made.working_folder, made.environment = Path(__file__).parent, ENVIRONMENT
    return made.start()


def is_talking(reader: StreamReader) -> bool:
    return bool(reader.events) and reader.parts[-1]["type"] == "text-delta"


def test_a_reader_gets_each_part_once_whatever_is_killed(stack: DevStack) -> None:
    """Sixteen streams, read by clients that come and go, and two kills of the app in mid-text."""
    readers = [StreamReader(stack, submit(stack, "talker"), seed) for seed in range(JOBS)]
    for reader in readers:
        reader.start()
    for _ in range(KILLS):
        wait_for(lambda: sum(map(is_talking, readers)) > JOBS // 4, "texts under way", RECOVERY_SECONDS)
        stack.wait_until_back("app", stack.kill("app"))
    wait_for(lambda: all(reader.done for reader in readers), "the end of every stream", RECOVERY_SECONDS)
    for reader in readers:
        numbers = [int(number.rpartition("-")[2]) for number, _ in reader.events]
        assert numbers == list(range(1, len(numbers) + 1))
        assert standing_texts(reader.parts) == [FIRST, ANSWER]
        whole = StreamReader(stack, reader.job_id, 0)
        whole.read_all()
        assert whole.events == reader.events
        assert job(stack, reader.job_id)["result"] == {"answer": ANSWER}
    kinds = [part["type"] for reader in readers for part in reader.parts]
    assert kinds.count("data-retry") >= KILLS, "no kill met a text in the middle"
    assert kinds.count("text-delta") > 4 * JOBS
    assert sum(reader.breaks for reader in readers) > 2 * JOBS
