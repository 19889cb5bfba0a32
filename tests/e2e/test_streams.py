"""Streams over HTTP while readers come and go, and the app is killed in mid-text: each part once, each text whole."""

from collections.abc import Sequence

import pytest

from tests.e2e.dev_stack import RECOVERY_SECONDS, TALK_RECOVERY, DevStack, wait_for
from tests.e2e.stream_agents import ANSWER, FIRST
from tests.e2e.stream_reader import RunReader, StreamReader, standing_messages, standing_texts

pytestmark = [pytest.mark.e2e, pytest.mark.long]

AGENTS, ENVIRONMENT = "stream_agents", TALK_RECOVERY
JOBS, KILLS = 16, 2
RUNS, READERS_OF_A_RUN = 10, 10


def is_talking(reader: StreamReader) -> bool:
    """Whether the last that it got is from the middle of a text."""
    return bool(reader.events) and reader.parts[-1]["type"] == "text-delta"


def read_to_their_ends(readers: Sequence[StreamReader]) -> None:
    wait_for(lambda: all(reader.done for reader in readers), "the end of every stream", RECOVERY_SECONDS)
    assert sum(reader.breaks for reader in readers) > 2 * len(readers)


def test_a_reader_gets_each_part_once_whatever_is_killed(stack: DevStack) -> None:
    """Sixteen streams, read by clients that come and go, and two kills of the app in mid-text."""
    readers = [StreamReader(stack, stack.submit("talker", "Talk."), seed) for seed in range(JOBS)]
    for reader in readers:
        reader.start()
    for _ in range(KILLS):
        wait_for(lambda: sum(map(is_talking, readers)) > JOBS // 4, "texts under way", RECOVERY_SECONDS)
        stack.wait_until_back("app", stack.kill("app"))
    read_to_their_ends(readers)
    for reader in readers:
        numbers = [int(number.rpartition("-")[2]) for number, _ in reader.events]
        assert numbers == list(range(1, len(numbers) + 1))
        assert standing_texts(reader.parts) == [FIRST, ANSWER]
        whole = StreamReader(stack, reader.job_id, 0)
        whole.read()
        assert whole.events == reader.events
        assert stack.job(reader.job_id)["result"] == {"answer": ANSWER}
    kinds = [part["type"] for reader in readers for part in reader.parts]
    assert kinds.count("data-retry") >= KILLS, "no kill met a text in the middle"
    assert kinds.count("text-delta") > 4 * JOBS


def test_a_hundred_readers_of_ag_ui_that_come_and_go_lose_nothing(stack: DevStack) -> None:
    """Ten runs with ten readers each, who start them, too: all get the same events, once and in order."""
    runs = [[RunReader(stack, f"run-{run}", 10 * run + one) for one in range(READERS_OF_A_RUN)] for run in range(RUNS)]
    readers = [reader for run in runs for reader in run]
    for reader in readers:
        reader.start()
    read_to_their_ends(readers)
    for run in runs:
        assert all(reader.events == run[0].events for reader in run)
        assert standing_messages(run[0].parts) == [FIRST, ANSWER]
        assert run[0].parts[0]["type"] == "RUN_STARTED"
