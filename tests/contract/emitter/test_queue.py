"""What every queue promises to whoever publishes: the fake and the real one alike; many publishers in one process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest

from baton.queue.qstash.publisher import QStashQueue
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton_events.errors import TopicNotFoundError
from baton_events.messages import Outgoing, Queue
from tests.contract.emitter.account_of import account_of
from tests.contract.emitter.qstash_process import QStashProcess

LATER_MS = SystemClock().now_ms() + 3_600_000


@pytest.fixture
async def queue(either: Settings | None) -> AsyncIterator[Queue]:
    made = account_of(either)
    yield made.queue
    await made.close()


def message(name: object, topic: str = "", deduplication_id: str = "") -> Outgoing:
    """A message that will not be delivered while the test runs."""
    url = "" if topic else "http://127.0.0.1:9/never"
    body = f'{{"n":"{name}"}}'
    return Outgoing(body=body, url=url, topic=topic, not_before_ms=LATER_MS, deduplication_id=deduplication_id)


async def test_each_message_has_an_id_of_its_own(queue: Queue) -> None:
    ids = await queue.publish([message(0)])
    ids += await queue.publish([message(n) for n in range(1, 4)])
    assert len(set(ids)) == 4
    assert all(ids)
    assert await queue.publish([]) == []


async def test_a_message_is_taken_back_and_again(queue: Queue) -> None:
    [message_id] = await queue.publish([message(0)])
    for name in (message_id, message_id, "msg_unknown"):
        await queue.cancel(name)


async def test_a_queue_may_be_closed_twice_and_used_again(queue: Queue) -> None:
    """A process may be woken after its connections were closed."""
    for _ in range(2):
        await queue.close()
    assert await queue.publish([message(0)])


@pytest.mark.parametrize("transport", ["httpx", "httptools"])
async def test_each_of_many_publishers_has_the_ids_of_its_own_messages(
    local_qstash: QStashProcess, transport: Literal["httpx", "httptools"]
) -> None:
    """Published again one by one, each message is the queue's already; an unknown topic among them harms nobody."""
    queue = QStashQueue(replace(local_qstash.settings("http://127.0.0.1:9"), http_transport=transport))
    names = [(f"{transport}-{number}-a", f"{transport}-{number}-b") for number in range(60)]
    wrong, *together = await asyncio.gather(
        queue.publish([message("bad", topic="agent.unknown")]),
        *[queue.publish([message(name, deduplication_id=name) for name in pair]) for pair in names],
        return_exceptions=True,
    )
    assert isinstance(wrong, TopicNotFoundError)
    told = [ids for ids in together if isinstance(ids, list)]
    assert len({message_id for ids in told for message_id in ids}) == 120
    for pair, ids in zip(names[::10], told[::10], strict=True):
        assert [(await queue.publish([message(name, deduplication_id=name)]))[0] for name in pair] == ids
    await queue.close()
