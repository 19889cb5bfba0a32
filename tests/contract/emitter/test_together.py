"""Many publishers at once in one process, on the real queue, over each HTTP transport."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest

from baton.clock import SystemClock
from baton.queue.qstash.publisher import QStashQueue
from baton_events.errors import PublishError, TopicNotFoundError
from baton_events.messages import Outgoing
from tests.contract.emitter.qstash_process import QStashProcess

LATER_MS = SystemClock().now_ms() + 3_600_000


@pytest.fixture(params=["httpx", "httptools"])
async def queue(request: pytest.FixtureRequest, local_qstash: QStashProcess) -> AsyncIterator[QStashQueue]:
    transport: Literal["httpx", "httptools"] = request.param
    made = QStashQueue(replace(local_qstash.settings("http://127.0.0.1:9"), http_transport=transport))
    yield made
    await made.close()


def message(name: str, topic: str = "") -> Outgoing:
    """A message that will not be delivered while the test runs; two with one name are one to the queue."""
    url = "" if topic else "http://127.0.0.1:9/never"
    return Outgoing(body=f'{{"n":"{name}"}}', url=url, topic=topic, not_before_ms=LATER_MS, deduplication_id=name)


async def test_each_publisher_has_the_ids_of_its_own_messages(queue: QStashQueue) -> None:
    """Published again one by one, each message is found to be the queue's already, under the id that was told."""
    names = [(f"{id(queue)}-{number}-a", f"{id(queue)}-{number}-b") for number in range(60)]
    together = await asyncio.gather(*[queue.publish([message(name) for name in pair]) for pair in names])
    assert len({message_id for ids in together for message_id in ids}) == 120
    for pair, ids in zip(names[::10], together[::10], strict=True):
        assert [(await queue.publish([message(name)]))[0] for name in pair] == ids


async def test_what_is_refused_fails_for_its_own_publisher_alone(queue: QStashQueue) -> None:
    answers = await asyncio.gather(
        queue.publish([message("good-1")]),
        queue.publish([message("bad", topic="agent.unknown")]),
        queue.publish([message("good-2")]),
        return_exceptions=True,
    )
    assert isinstance(answers[1], TopicNotFoundError)
    assert not isinstance(answers[0], BaseException)
    assert not isinstance(answers[2], BaseException)


@pytest.mark.parametrize("transport", ["httpx", "httptools"])
async def test_a_queue_that_is_gone_fails_for_all(
    local_qstash: QStashProcess, transport: Literal["httpx", "httptools"]
) -> None:
    gone = replace(
        local_qstash.settings("http://127.0.0.1:9"), qstash_url="http://127.0.0.1:9", http_transport=transport
    )
    queue = QStashQueue(gone)
    answers = await asyncio.gather(*[queue.publish([message(name)]) for name in "ab"], return_exceptions=True)
    assert all(isinstance(answer, PublishError) for answer in answers)
    assert "http://127.0.0.1:9" in str(answers[0])
    await queue.close()
